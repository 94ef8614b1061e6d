import { useState } from 'react';
import { providers } from '../config.ts';
import { beginSignIn } from './oidc.ts';

/** A button for each external identity provider. */
export function ProviderButtons() {
  const [problem, setProblem] = useState('');
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
