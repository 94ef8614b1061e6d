'use client';

// The form of sign-in and sign-up. With scripts, it shows errors at their fields; without, the browser posts it and follows a redirect.

import { useState, type FormEvent } from 'react';
import type { Outcome } from '@/session/begin';
import { Field, FormError, useFormWith } from '@/ui/field';

interface AccountFormProps {
  action: string;
  submit: string;
  next: string;
  hasName?: boolean;
  problem?: string | undefined;
}

async function post(form: HTMLFormElement): Promise<Outcome> {
  const request = { method: 'POST', headers: { accept: 'application/json' }, body: new FormData(form) };
  const response = await fetch(form.action, request).catch(() => null);
  const isOutcome = response?.headers.get('content-type')?.includes('json');
  return isOutcome ? (response!.json() as Promise<Outcome>) : { errors: { form: 'The app cannot be reached. Try again.' } };
}

export function AccountForm({ action, submit, next, hasName = false, problem }: AccountFormProps) {
  const [errors, setErrors] = useState<Record<string, string>>(problem ? { form: problem } : {});
  const [isPending, setPending] = useState(false);
  const form = useFormWith(errors);

  async function onSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setPending(true);
    const outcome = await post(event.currentTarget);
    // A full page load discards what the router has cached.
    if ('next' in outcome) return window.location.assign(outcome.next);
    setErrors(outcome.errors);
    setPending(false);
  }

  return (
    <form ref={form} method="post" action={action} onSubmit={(event) => void onSubmit(event)}>
      <FormError text={errors['form']} />
      <input type="hidden" name="next" value={next} />
      {hasName && <Field label="Name" name="name" autoComplete="name" required maxLength={255} error={errors['name']} />}
      <Field label="Email" name="email" type="email" autoComplete="username" required error={errors['email']} />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete={hasName ? 'new-password' : 'current-password'}
        required
        error={errors['password']}
      />
      <button className="primary" disabled={isPending}>
        {submit}
      </button>
    </form>
  );
}
