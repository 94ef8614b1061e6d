// Runs before pages and server actions. It keeps the tokens valid, because it can set cookies and a server component cannot.

import { NextResponse, type NextRequest } from 'next/server';
import { ACCESS, REFRESH, clearTokens, setTokens } from '@/session/cookies';
import { PATH, RENEWAL_FAILURE } from '@/session/headers';
import { renew, type Renewal } from '@/session/renew';
import { isSameOrigin, rejection } from '@/session/same-origin';

export async function proxy(request: NextRequest): Promise<NextResponse | Response> {
  if (!['GET', 'HEAD'].includes(request.method) && !isSameOrigin(request)) return rejection();
  const renewal = await renewIfExpired(request);
  const policy = contentSecurityPolicy();
  const headers = headersForPage(request, renewal, policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set('content-security-policy', policy);
  if (renewal === 'ended') clearTokens(response.cookies);
  else if (renewal && 'tokens' in renewal) setTokens(response.cookies, renewal.tokens);
  return response;
}

/** Null if the access token is still valid, or the user is not signed in. The route handlers of the session renew by themselves. */
async function renewIfExpired({ cookies, headers, nextUrl }: NextRequest): Promise<Renewal | null> {
  const refreshToken = cookies.get(REFRESH)?.value;
  if (!refreshToken || cookies.has(ACCESS) || nextUrl.pathname.startsWith('/session/')) return null;
  return renew(refreshToken, headers);
}

/** The header fields that the page or the action gets, with the new tokens as if the browser had sent them. */
function headersForPage(request: NextRequest, renewal: Renewal | null, policy: string): Headers {
  if (renewal === 'ended') request.cookies.delete([ACCESS, REFRESH]);
  else if (renewal && 'tokens' in renewal) {
    request.cookies.set(ACCESS, renewal.tokens.accessToken);
    request.cookies.set(REFRESH, renewal.tokens.refreshToken);
  }
  const headers = new Headers(request.headers);
  headers.set('content-security-policy', policy);
  headers.set(PATH, request.nextUrl.pathname + request.nextUrl.search);
  headers.delete(RENEWAL_FAILURE);
  if (renewal && renewal !== 'ended' && 'failure' in renewal) headers.set(RENEWAL_FAILURE, JSON.stringify(renewal.failure));
  return headers;
}

/** Next adds the nonce to its scripts. */
function contentSecurityPolicy(): string {
  const isDevelopment = process.env.NODE_ENV === 'development';
  const nonce = Buffer.from(crypto.randomUUID()).toString('base64');
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${isDevelopment ? " 'unsafe-eval'" : ''}`,
    `style-src 'self'${isDevelopment ? " 'unsafe-inline'" : ` 'nonce-${nonce}'`}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

export const config = { matcher: '/((?!_next/static/|_next/image$|icon\\.svg$).*)' };
