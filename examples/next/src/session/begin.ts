// What the route handlers of sign-in and sign-up share: they begin a session, and set its cookies.

import 'server-only';
import { NextResponse } from 'next/server';
import { RequestFailed, send } from '@/service/send';
import { describe, textsByField, type UserError } from '@/service/texts';
import { setTokens } from '@/session/cookies';
import { isSameOrigin, rejection } from '@/session/same-origin';
import type { TypedDocumentString } from '@/gql/graphql';

type Payload = { accessToken: string | null; refreshToken: string | null; userErrors: readonly UserError[] } | null;
type Begin<I> = TypedDocumentString<{ result: Payload }, { input: I }>;
type Field = 'name' | 'email' | 'password';

/** The response to a form with scripts. */
export type Outcome = { next: string } | { errors: Record<string, string> };

const ANY_ORIGIN = 'http://app.invalid';

/** The path of a link within this app, read as browsers read it: `//host` and `/\\host` are other sites, and `/.//host` becomes one. */
export function pathOf(next: unknown): string {
  const url = typeof next === 'string' && URL.canParse(next, ANY_ORIGIN) ? new URL(next, ANY_ORIGIN) : null;
  return url?.origin === ANY_ORIGIN && /^\/[^/]/.test(url.pathname) ? url.pathname + url.search : '/courses';
}

/** Without scripts, the browser follows the redirect of the form. */
export const seeOther = (path: string) => new NextResponse(null, { status: 303, headers: { location: path } });

/** Begins a session with the fields of a form. */
export async function begin<F extends Field>(request: Request, document: Begin<Record<F, string>>, fields: readonly F[], page: string) {
  if (!isSameOrigin(request)) return rejection();
  const form = await request.formData().catch(() => null);
  if (!form) return new Response('The request has no form.', { status: 400 });
  const input = Object.fromEntries(fields.map((name) => [name, String(form.get(name) ?? '')])) as Record<F, string>;
  const next = pathOf(form.get('next'));
  const hasScripts = request.headers.get('accept') === 'application/json';
  const back = (code: string, retryAfterMs: number | null) =>
    seeOther(`${page}?${new URLSearchParams({ code, next, ...(retryAfterMs && { retryAfterMs: String(retryAfterMs) }) })}`);
  try {
    const { result } = await send(document, { input }, { headers: request.headers });
    if (result?.accessToken && result.refreshToken) {
      const response = hasScripts ? NextResponse.json({ next } satisfies Outcome) : seeOther(next);
      setTokens(response.cookies, { accessToken: result.accessToken, refreshToken: result.refreshToken });
      return response;
    }
    const errors = result?.userErrors ?? [];
    if (!hasScripts) return back(errors[0]?.code ?? 'INTERNAL', null);
    return NextResponse.json({ errors: textsByField(errors) } satisfies Outcome, { status: 422 });
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    console.error(error.message);
    if (!hasScripts) return back(error.code, error.retryAfterMs);
    const { title, advice } = describe(error);
    return NextResponse.json({ errors: { form: `${title}. ${advice}` } } satisfies Outcome, { status: error.code === 'RATE_LIMITED' ? 429 : 503 });
  }
}
