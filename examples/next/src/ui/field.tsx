// A labelled input with its error.

import { useEffect, useId, useRef, type ComponentProps } from 'react';

interface FieldProps extends ComponentProps<'input'> {
  label: string;
  error: string | undefined;
}

export function Field({ label, error, ...input }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input {...input} id={id} aria-invalid={error !== undefined} aria-describedby={error ? `${id}-error` : undefined} />
      {error && (
        <p className="error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

/** An error of a whole form. Screen readers announce it. */
export const FormError = ({ text }: { text: string | undefined }) => (
  <p className="error" role="alert">
    {text}
  </p>
);

/** A form whose focus moves to the first invalid input when there are new errors. */
export function useFormWith(errors: Record<string, string>) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    const [name] = Object.keys(errors);
    if (name) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [errors]);
  return form;
}
