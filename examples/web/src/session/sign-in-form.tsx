import { useState } from 'react';
import { Link } from 'wouter';
import { onSubmit, TextField } from '../ui/form.tsx';
import { signIn } from './account.ts';
import type { SignedOutProps } from './signed-out.tsx';
import { useForm } from './use-form.ts';

export function SignInForm({ onSignedIn }: SignedOutProps) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { run, errors, general, isSending } = useForm();
  const submit = async () => {
    if (await run(() => signIn({ email, password }))) await onSignedIn();
  };
  const wrong = errors.some(({ code }) => code === 'INVALID_CREDENTIALS') && 'The email address or the password is wrong.';
  const problem = wrong || general || errors[0]?.message;
  return (
    <form className="form" onSubmit={onSubmit(() => void submit())}>
      <TextField label="Email" type="email" autoComplete="email" required value={email} onChange={setEmail} />
      <TextField label="Password" type="password" autoComplete="current-password" required value={password} onChange={setPassword} />
      <p className="form-problem" role="alert">
        {problem}
      </p>
      <button type="submit" className="button button-primary button-wide" disabled={isSending}>
        {isSending ? 'Signing in…' : 'Sign in'}
      </button>
      <Link href="/forgot-password" className="form-aside">
        Forgot your password?
      </Link>
    </form>
  );
}
