import { useState } from 'react';
import { onSubmit, TextField } from '../ui/form.tsx';
import { signUp } from './account.ts';
import type { SignedOutProps } from './signed-out.tsx';
import { useForm } from './use-form.ts';

const TAKEN = 'An account has this email address already. Sign in instead.';

export function SignUpForm({ onSignedIn }: SignedOutProps) {
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { run, errors, errorOf, general, isSending } = useForm();
  const submit = async () => {
    if (await run(() => signUp({ email, password, name }))) await onSignedIn();
  };
  const isTaken = errors.some(({ code }) => code === 'TAKEN');
  return (
    <form className="form" onSubmit={onSubmit(() => void submit())}>
      <TextField label="Name" autoComplete="name" required value={name} onChange={setName} error={errorOf('name')} />
      <TextField label="Email" type="email" autoComplete="email" required value={email} onChange={setEmail} error={isTaken ? TAKEN : errorOf('email')} />
      <TextField
        label="Password"
        type="password"
        autoComplete="new-password"
        required
        minLength={8}
        hint="8 characters or more. Three random words make a good one."
        value={password}
        onChange={setPassword}
        error={errorOf('password')}
      />
      <p className="form-problem" role="alert">
        {general}
      </p>
      <button type="submit" className="button button-primary button-wide" disabled={isSending}>
        {isSending ? 'Creating…' : 'Create account'}
      </button>
    </form>
  );
}
