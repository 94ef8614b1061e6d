import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { sendWith } from '../api/request.ts';
import { graphql } from '../gql/index.ts';
import { announce } from '../ui/announcements.ts';
import { onSubmit, TextField } from '../ui/form.tsx';
import { useEmailToken } from './email-token.ts';
import { useForm } from './use-form.ts';

const REQUEST = graphql(`
  mutation RequestPasswordReset($email: String!) {
    requestPasswordReset(input: { email: $email }) {
      accepted
      userErrors {
        code
        field
        message
      }
    }
  }
`);

const RESET = graphql(`
  mutation ResetPassword($token: String!, $newPassword: String!) {
    resetPassword(input: { token: $token, newPassword: $newPassword }) {
      accessToken
      userErrors {
        code
        field
        message
      }
    }
  }
`);

const END_SESSION = graphql(`
  mutation EndSession {
    signOut {
      signedOut
    }
  }
`);

export interface PasswordResetProps {
  /** Whether a user is signed in on this device. It can be another user than the one of the password. */
  isSignedIn: boolean;
}

/** Sends a link to a user's email address. */
export function ForgotPassword({ isSignedIn }: PasswordResetProps) {
  const [email, setEmail] = useState('');
  const [isSent, setIsSent] = useState(false);
  const { run, errorOf, general, isSending } = useForm();
  const submit = async () => {
    const action = async () => (await sendWith(null, REQUEST, { email })).requestPasswordReset?.userErrors ?? [];
    setIsSent(await run(action));
  };
  return (
    <>
      <h1>Reset your password</h1>
      {isSent ? (
        <p role="status">If {email} has an account, a link is on its way. It is valid for 30 minutes.</p>
      ) : (
        <form className="form" onSubmit={onSubmit(() => void submit())}>
          <TextField label="Email" type="email" autoComplete="email" required value={email} onChange={setEmail} error={errorOf('email')} />
          <p className="form-problem" role="alert">
            {general}
          </p>
          <button type="submit" className="button button-primary button-wide" disabled={isSending}>
            Send link
          </button>
        </form>
      )}
      <p className="gate-switch">
        <Link href="/">{isSignedIn ? 'Back to SnapNote' : 'Back to sign-in'}</Link>
      </p>
    </>
  );
}

/**
 * Sets the password. The service then opens a session, which is ended: another user may be signed in on this device, and password managers
 * learn the new password at the sign-in.
 */
async function resetPassword(token: string, newPassword: string) {
  const { resetPassword: result } = await sendWith(null, RESET, { token, newPassword });
  if (result?.accessToken) await sendWith(result.accessToken, END_SESSION, {}).catch(() => {});
  return result?.userErrors ?? [];
}

/** The page of that link. */
export function ResetPassword({ isSignedIn }: PasswordResetProps) {
  const token = useEmailToken();
  return (
    <>
      <h1>Choose a new password</h1>
      {token ? (
        <NewPasswordForm key={token} token={token} isSignedIn={isSignedIn} />
      ) : (
        <p>Open the link in the email again. Without it, the password cannot be changed.</p>
      )}
      <p className="gate-switch">
        <Link href="/forgot-password">Send a new link</Link>
      </p>
    </>
  );
}

function NewPasswordForm({ token, isSignedIn }: PasswordResetProps & { token: string }) {
  const [, navigate] = useLocation();
  const [newPassword, setNewPassword] = useState('');
  const { run, errors, errorOf, general, isSending } = useForm();
  const submit = async () => {
    if (!(await run(() => resetPassword(token, newPassword)))) return;
    announce(`Your password is changed. ${isSignedIn ? 'Use the new one for your next sign-in.' : 'Sign in with the new one.'}`);
    navigate('/', { replace: true });
  };
  const hasExpired = errors.some(({ code }) => code === 'INVALID_TOKEN');
  return (
    <form className="form" onSubmit={onSubmit(() => void submit())}>
      <TextField
        label="New password"
        type="password"
        autoComplete="new-password"
        required
        minLength={8}
        hint="8 characters or more. Three random words make a good one."
        value={newPassword}
        onChange={setNewPassword}
        error={errorOf('newPassword')}
      />
      <p className="form-problem" role="alert">
        {hasExpired ? 'This link has expired or was used.' : general}
      </p>
      <button type="submit" className="button button-primary button-wide" disabled={isSending}>
        Set password
      </button>
    </form>
  );
}
