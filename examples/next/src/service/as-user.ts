// Requests as the signed-in user, for server components and server actions.

import 'server-only';
import { cookies, headers } from 'next/headers';
import { redirect } from 'next/navigation';
import type { TypedDocumentString } from '@/gql/graphql';
import { RequestFailed, send, type Failure } from '@/service/send';
import { ACCESS } from '@/session/cookies';
import { PATH, RENEWAL_FAILURE } from '@/session/headers';

export type Result<R> = { data: R; failure: null } | { data: null; failure: Failure };

/** Sends a request with the token that the proxy keeps valid. A user who is not signed in is sent to the sign-in page. */
export async function asUser<R, V>(document: TypedDocumentString<R, V>, variables: V): Promise<Result<R>> {
  const [jar, fields] = await Promise.all([cookies(), headers()]);
  const unrenewed = fields.get(RENEWAL_FAILURE);
  if (unrenewed) return { data: null, failure: JSON.parse(unrenewed) as Failure };
  const token = jar.get(ACCESS)?.value;
  if (!token) signIn(fields);
  try {
    return { data: await send(document, variables, { token, headers: fields }), failure: null };
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    if (error.code === 'UNAUTHENTICATED') signIn(fields);
    console.error(error.message);
    return { data: null, failure: { code: error.code, retryAfterMs: error.retryAfterMs } };
  }
}

function signIn(fields: Headers): never {
  redirect(`/sign-in?next=${encodeURIComponent(fields.get(PATH) ?? '/')}`);
}
