import { same } from '@snapnote/client';

/** The fields that a form has changed. Only these are stored, so that changes of other devices to the others remain. */
export function changedFields<F extends object>(before: F, after: F): Partial<F> {
  const changed = Object.entries(after).filter(([name, value]) => !same(name, value, before[name as keyof F]));
  return Object.fromEntries(changed) as Partial<F>;
}
