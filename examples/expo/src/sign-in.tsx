// Sign-in and sign-up.

import type { Session, UserError } from '@snapnote/client';
import { useState } from 'react';
import { Button, Field, Problem, Screen } from './look.tsx';
import { describe, textOf } from './texts.ts';

const textAt = (errors: readonly UserError[], name: string) => {
  const error = errors.find(({ field }) => (field?.at(-1) ?? 'form') === name);
  return error && textOf(error.code);
};

export function SignIn({ session, onSignedIn }: { session: Session; onSignedIn: () => void }) {
  const [isNew, setNew] = useState(false);
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [problem, setProblem] = useState<string>();
  const [isPending, setPending] = useState(false);

  async function submit() {
    setPending(true);
    setProblem(undefined);
    try {
      const found = await (isNew ? session.signUp({ name, email, password }) : session.signIn({ email, password }));
      setErrors(found);
      if (found.length === 0) onSignedIn();
    } catch (error) {
      setProblem(describe(error));
    } finally {
      setPending(false);
    }
  }

  return (
    <Screen title={isNew ? 'Create an account' : 'Sign in'}>
      {isNew && <Field label="Name" value={name} onChangeText={setName} autoComplete="name" error={textAt(errors, 'name')} />}
      <Field
        label="Email"
        value={email}
        onChangeText={setEmail}
        autoCapitalize="none"
        autoComplete="email"
        keyboardType="email-address"
        error={textAt(errors, 'email')}
      />
      <Field
        label="Password"
        value={password}
        onChangeText={setPassword}
        secureTextEntry
        autoComplete={isNew ? 'new-password' : 'current-password'}
        error={textAt(errors, 'password')}
      />
      <Problem text={problem ?? textAt(errors, 'form') ?? textAt(errors, 'input')} />
      <Button label={isNew ? 'Create account' : 'Sign in'} onPress={() => void submit()} isPending={isPending} />
      <Button label={isNew ? 'I have an account' : 'Create an account'} onPress={() => setNew(!isNew)} />
    </Screen>
  );
}
