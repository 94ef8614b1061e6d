// What users read about errors. The codes are stable; the service's messages are for developers.

import { RequestFailed } from '@snapnote/client';

const TEXTS: Record<string, string> = {
  BLANK: 'Fill in this field.',
  TOO_LONG: 'This is too long.',
  TOO_SHORT: 'This is too short.',
  INVALID: 'This is not valid.',
  TAKEN: 'This address has an account already.',
  INVALID_CREDENTIALS: 'The email address or the password is wrong.',
  WEAK_PASSWORD: 'This password is easy to guess, or known from leaks.',
  LIMIT_REACHED: 'Your storage is full.',
  NETWORK: 'SnapNote cannot be reached. Is the phone in the same network?',
  RATE_LIMITED: 'Too many attempts. Try again later.',
  UNAVAILABLE: 'SnapNote is not available. Try again later.',
};

export const textOf = (code: string): string => TEXTS[code] ?? 'Something went wrong. Try again.';
export const describe = (error: unknown): string => textOf(error instanceof RequestFailed ? error.code : 'INTERNAL');
