import type { NextRequest } from 'next/server';
import { graphql } from '@/gql';
import { RequestFailed, send } from '@/service/send';
import { seeOther } from '@/session/begin';
import { ACCESS, REFRESH, clearTokens } from '@/session/cookies';
import { renew } from '@/session/renew';
import { isSameOrigin, rejection } from '@/session/same-origin';

const SIGN_OUT = graphql(`
  mutation SignOut {
    signOut {
      signedOut
    }
  }
`);

export async function POST(request: NextRequest) {
  if (!isSameOrigin(request)) return rejection();
  const isEnded = await endSession(request);
  const response = seeOther(isEnded ? '/sign-in' : '/sign-in?code=SESSION_NOT_ENDED');
  clearTokens(response.cookies);
  return response;
}

/** Ends the session at the service, not only in this browser. Returns whether it has ended. */
async function endSession({ cookies, headers }: NextRequest): Promise<boolean> {
  let token = cookies.get(ACCESS)?.value;
  const refreshToken = cookies.get(REFRESH)?.value;
  if (!token && refreshToken) {
    const renewal = await renew(refreshToken, headers);
    if (renewal === 'ended') return true;
    if ('failure' in renewal) return false;
    token = renewal.tokens.accessToken;
  }
  if (!token) return true;
  try {
    await send(SIGN_OUT, {}, { token, headers });
    return true;
  } catch (error) {
    return error instanceof RequestFailed && error.code === 'UNAUTHENTICATED';
  }
}
