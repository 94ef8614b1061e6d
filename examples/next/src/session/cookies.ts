// The cookies of a session. Scripts cannot read them (HttpOnly), and requests of other sites do not have them (SameSite), except links.

import type { NextResponse } from 'next/server';

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

type CookieJar = NextResponse['cookies'];

// A `__Host-` cookie cannot be set by a subdomain or without HTTPS. Chromium counts HTTP on this machine as secure.
const isSecure = process.env.NODE_ENV === 'production';
const prefix = isSecure ? '__Host-' : '';
const OPTIONS = { httpOnly: true, sameSite: 'lax', secure: isSecure, path: '/' } as const;

export const ACCESS = `${prefix}snapnote-access`;
export const REFRESH = `${prefix}snapnote-refresh`;
/** A session ends 30 days after its last use. */
const SESSION_S = 30 * 24 * 3600;

export function setTokens(jar: CookieJar, { accessToken, refreshToken }: Tokens): void {
  jar.set(ACCESS, accessToken, { ...OPTIONS, maxAge: lifetime(accessToken) });
  jar.set(REFRESH, refreshToken, { ...OPTIONS, maxAge: SESSION_S });
}

export function clearTokens(jar: CookieJar): void {
  for (const name of [ACCESS, REFRESH]) jar.set(name, '', { ...OPTIONS, maxAge: 0 });
}

/**
 * The lifetime of a token in seconds, by its own times, because clocks differ. The browser drops the cookie when the token expires. The
 * service accepts the token for 45 seconds more, so a request that is on its way does not fail.
 */
function lifetime(token: string): number {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const { iat, exp } = JSON.parse(payload) as { iat: number; exp: number };
  return exp - iat;
}
