import { useState } from 'react';
import { Route, Switch, useRoute } from 'wouter';
import { Callback } from './callback.tsx';
import { ForgotPassword, ResetPassword, type PasswordResetProps } from './password-reset.tsx';
import { ProviderButtons } from './provider-buttons.tsx';
import { SignInForm } from './sign-in-form.tsx';
import { SignUpForm } from './sign-up-form.tsx';

export interface SignedOutProps {
  /** Called when a user has signed in. */
  onSignedIn: () => Promise<void>;
}

/** What a user sees without being signed in. The pages to reset a password are also shown while a user is signed in. */
export function SignedOut({ isSignedIn, onSignedIn }: SignedOutProps & PasswordResetProps) {
  return (
    <main className="gate">
      <section className="gate-about" aria-label="About SnapNote">
        <p className="gate-mark">
          <img src="/icon.svg" alt="" width="36" height="36" />
          SnapNote
        </p>
        <p className="gate-line">From the board to a note you can learn from.</p>
        <figure className="gate-sheet" aria-hidden="true">
          <p className="gate-sheet-title">Groups</p>
          <p>
            A set <i>G</i> with an operation, where
          </p>
          <p className="gate-formula">
            (<i>a</i> · <i>b</i>) · <i>c</i> = <i>a</i> · (<i>b</i> · <i>c</i>)
          </p>
          <p>
            <mark>Every element has an inverse.</mark>
          </p>
        </figure>
      </section>
      <div className="gate-form">
        <Switch>
          <Route path="/callback">
            <Callback onSignedIn={onSignedIn} />
          </Route>
          <Route path="/forgot-password">
            <ForgotPassword isSignedIn={isSignedIn} />
          </Route>
          <Route path="/reset-password">
            <ResetPassword isSignedIn={isSignedIn} />
          </Route>
          <Route>
            <Welcome onSignedIn={onSignedIn} />
          </Route>
        </Switch>
      </div>
    </main>
  );
}

function Welcome({ onSignedIn }: SignedOutProps) {
  const [isNew, setIsNew] = useState(false);
  const [isVerifying] = useRoute('/verify-email');
  return (
    <>
      <h1>{isNew ? 'Create your account' : 'Sign in'}</h1>
      {isVerifying && !isNew && <p>Sign in to verify your email address.</p>}
      {isNew ? <SignUpForm onSignedIn={onSignedIn} /> : <SignInForm onSignedIn={onSignedIn} />}
      <ProviderButtons />
      <p className="gate-switch">
        {isNew ? 'You have an account?' : 'New here?'}{' '}
        <button type="button" className="link" onClick={() => setIsNew(!isNew)}>
          {isNew ? 'Sign in' : 'Create an account'}
        </button>
      </p>
    </>
  );
}
