import { useEffect, useState } from 'react';
import { providers } from '../config.ts';
import { beginSignIn, forgetSignIn } from './oidc.ts';

/** A button for each external identity provider. */
export function ProviderButtons() {
  const [problem, setProblem] = useState('');
  // A user who returns here has not completed the sign-in. The browser can restore the page without loading it.
  useEffect(() => {
    const restored = ({ persisted }: PageTransitionEvent) => persisted && forgetSignIn();
    forgetSignIn();
    addEventListener('pageshow', restored);
    return () => removeEventListener('pageshow', restored);
  }, []);
  if (providers.length === 0) return null;
  return (
    <div className="providers">
      <p className="divider">or</p>
      {providers.map((provider) => (
        <button
          key={provider.name}
          type="button"
          className="button button-wide"
          onClick={() => void beginSignIn(provider).catch(() => setProblem(`${provider.label} cannot be reached. Try again.`))}
        >
          Continue with {provider.label}
        </button>
      ))}
      <p className="form-problem" role="alert">
        {problem}
      </p>
    </div>
  );
}
