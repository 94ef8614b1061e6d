import type { UserError } from '@snapnote/client';
import { useState } from 'react';
import { describe } from '../api/request.ts';

const WEAK = 'This password is easy to guess. Choose another one.';

/** The state of a form that is sent to the service: its errors by field, and whether it is being sent. */
export function useForm() {
  const [errors, setErrors] = useState<readonly Pick<UserError, 'field' | 'message' | 'code'>[]>([]);
  const [failure, setFailure] = useState<string>();
  const [isSending, setIsSending] = useState(false);
  /** Runs an action, which returns the errors of the input. Returns whether it succeeded. */
  const run = async (action: () => Promise<typeof errors>): Promise<boolean> => {
    setIsSending(true);
    setFailure(undefined);
    try {
      const found = await action();
      setErrors(found);
      return found.length === 0;
    } catch (error) {
      setFailure(describe(error));
      return false;
    } finally {
      setIsSending(false);
    }
  };
  const errorOf = (field: string) => {
    const error = errors.find((other) => other.field?.at(-1) === field);
    return error?.code === 'WEAK_PASSWORD' ? WEAK : error?.message;
  };
  const general = failure ?? errors.find(({ field }) => !field)?.message;
  return { run, errorOf, errors, general, isSending };
}
