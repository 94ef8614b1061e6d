'use client';

// The form of a server action that creates an item. It works without scripts, too.

import { useActionState } from 'react';
import type { FormState } from '@/app/(app)/actions';
import { Field, FormError, useFormWith } from '@/ui/field';

interface NewItemProps {
  action: (state: FormState, form: FormData) => Promise<FormState>;
  id: string;
  label: string;
  name: string;
  submit: string;
  dateLabel?: string;
}

export function NewItem({ action, id, label, name, submit, dateLabel }: NewItemProps) {
  const [{ values, errors }, submitForm, isPending] = useActionState(action, { id, values: {}, errors: {} });
  const form = useFormWith(errors);
  return (
    <form ref={form} className="new-item" action={submitForm}>
      <Field label={label} name={name} autoComplete="off" defaultValue={values[name]} error={errors[name]} />
      {dateLabel && <Field label={dateLabel} name="dueOn" type="date" defaultValue={values['dueOn']} error={errors['dueOn']} />}
      <button className="primary" disabled={isPending}>
        {submit}
      </button>
      <FormError text={errors['form'] ?? errors['courseId']} />
    </form>
  );
}
