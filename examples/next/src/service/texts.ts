// What users read about errors. The codes are stable; the service's messages are for developers.

import type { UserErrorCode } from '@/gql/graphql';
import type { Failure } from '@/service/send';

const TEXTS: Partial<Record<UserErrorCode, string>> = {
  BLANK: 'Fill in this field.',
  TOO_LONG: 'This is too long.',
  TOO_SHORT: 'This is too short.',
  INVALID: 'This is not valid.',
  TAKEN: 'This is taken. Choose another one, or sign in.',
  NOT_FOUND: 'This does not exist any more.',
  IN_TRASH: 'This is in the trash. Restore it first.',
  CONFLICT: 'This was changed elsewhere. Try again.',
  LIMIT_REACHED: 'Your storage is full. Delete something first.',
  INVALID_CREDENTIALS: 'The email address or the password is wrong.',
  WEAK_PASSWORD: 'This password is easy to guess, or known from leaks.',
};

export interface UserError {
  code: UserErrorCode;
  field: readonly string[] | null;
}

/** The texts by field: the last name of the path. Errors of no single field are at `form`. */
export function textsByField(errors: readonly UserError[]): Record<string, string> {
  return Object.fromEntries(errors.map(({ code, field }) => [field?.at(-1) ?? 'form', TEXTS[code] ?? 'This was not accepted.']));
}

export const isUserErrorCode = (code: string): code is UserErrorCode => code in TEXTS;

function wait(milliseconds: number): string {
  const minutes = Math.ceil(milliseconds / 60_000);
  if (minutes > 1) return `in ${minutes} minutes`;
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds > 1 ? `in ${seconds} seconds` : 'now';
}

export function describe({ code, retryAfterMs }: Failure): { title: string; advice: string } {
  const advice = `Try again ${retryAfterMs === null ? 'later' : wait(retryAfterMs)}.`;
  if (code === 'RATE_LIMITED') return { title: 'Too many attempts', advice };
  if (code === 'UNAVAILABLE' || code === 'TIMEOUT') return { title: 'SnapNote is not available', advice };
  if (code === 'FORBIDDEN') return { title: 'You may not do this', advice: 'Use another account.' };
  if (code === 'SESSION_NOT_ENDED') {
    return { title: 'You are signed out in this browser only', advice: 'SnapNote is not available, so it could not end the session.' };
  }
  return { title: 'Something went wrong', advice: 'Try again.' };
}
