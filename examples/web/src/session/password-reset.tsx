import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { sendWith } from '../api/request.ts';
import { graphql } from '../gql/index.ts';
import { announce } from '../ui/announcements.ts';
import { onSubmit, TextField } from '../ui/form.tsx';
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
      userErrors {
        code
        field
        message
      }
    }
  }
`);

/** Sends a link to a user's email address. */
export function ForgotPassword() {
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
        <Link href="/">Back to sign-in</Link>
      </p>
    </>
  );
}

/** The page of that link. The token is behind the `#`, so no server sees it. */
export function ResetPassword() {
  const [, navigate] = useLocation();
  const [token] = useState(() => new URLSearchParams(location.hash.slice(1)).get('token') ?? '');
  const [newPassword, setNewPassword] = useState('');
  const { run, errors, errorOf, general, isSending } = useForm();
  const submit = async () => {
    const action = async () => (await sendWith(null, RESET, { token, newPassword })).resetPassword?.userErrors ?? [];
    if (!(await run(action))) return;
    announce('Your password is changed. Sign in with the new one.');
    navigate('/', { replace: true });
  };
  const expired = errors.some(({ code }) => code === 'INVALID_TOKEN') && 'This link has expired or was used. Request a new one.';
  return (
    <>
      <h1>Choose a new password</h1>
      <form className="form" onSubmit={onSubmit(() => void submit())}>
        <TextField
          label="New password"
          type="password"
          autoComplete="new-password"
          required
          minLength={8}
          value={newPassword}
          onChange={setNewPassword}
          error={errorOf('newPassword')}
        />
        <p className="form-problem" role="alert">
          {expired || general}
        </p>
        <button type="submit" className="button button-primary button-wide" disabled={isSending}>
          Set password
        </button>
      </form>
    </>
  );
}
