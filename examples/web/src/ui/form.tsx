import { useId, type FormEvent, type InputHTMLAttributes, type ReactNode } from 'react';

interface FieldProps {
  label: string;
  hint?: string;
  error?: string | undefined;
  children: (attributes: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ReactNode;
}

/** A control with its label, hint and error. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const description = error ?? hint;
  const attributes = {
    id,
    ...(description && { 'aria-describedby': `${id}-about` }),
    ...(error && { 'aria-invalid': true as const }),
  };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(attributes)}
      {description && (
        <p id={`${id}-about`} className={error ? 'field-error' : 'field-hint'}>
          {description}
        </p>
      )}
    </div>
  );
}

type TextProps = Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange'> & {
  label: string;
  hint?: string;
  error?: string | undefined;
  onChange: (value: string) => void;
};

/** A line of text with its label. */
export function TextField({ label, hint, error, onChange, ...input }: TextProps) {
  return (
    <Field label={label} error={error} {...(hint && { hint })}>
      {(attributes) => <input className="input" {...input} {...attributes} onChange={(event) => onChange(event.target.value)} />}
    </Field>
  );
}

interface TextAreaProps {
  label: string;
  value: string;
  error?: string | undefined;
  rows?: number;
  maxLength?: number;
  onChange: (value: string) => void;
}

/** Several lines of text with their label. */
export function TextAreaField({ label, error, rows = 3, onChange, ...area }: TextAreaProps) {
  return (
    <Field label={label} error={error}>
      {(attributes) => <textarea className="input" rows={rows} {...area} {...attributes} onChange={({ target }) => onChange(target.value)} />}
    </Field>
  );
}

/** Calls a function instead of sending the form. */
export function onSubmit(action: () => void) {
  return (event: FormEvent) => {
    event.preventDefault();
    action();
  };
}

/** One of a few choices, as buttons beside each other. */
export function Segmented<T extends string>({ label, value, options, onChange }: SegmentedProps<T>) {
  const name = useId();
  return (
    <fieldset className="segmented">
      <legend className="visually-hidden">{label}</legend>
      {options.map(([option, text]) => (
        <label key={option}>
          <input type="radio" name={name} checked={option === value} onChange={() => onChange(option)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface SegmentedProps<T> {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}
