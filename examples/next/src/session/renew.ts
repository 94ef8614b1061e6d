// Exchanges a refresh token for new tokens. Each token can be exchanged once, so requests with the same cookie share one exchange.

import 'server-only';
import { graphql } from '@/gql';
import { RequestFailed, send, type Failure } from '@/service/send';
import type { Tokens } from '@/session/cookies';

const REFRESH_SESSION = graphql(`
  mutation RefreshSession($refreshToken: String!) {
    refreshSession(input: { refreshToken: $refreshToken }) {
      accessToken
      refreshToken
      userErrors {
        code
      }
    }
  }
`);

/** New tokens, the end of the session, or a failure after which the tokens are still good. */
export type Renewal = { tokens: Tokens } | 'ended' | { failure: Failure };

/** How long a browser may still send the old cookie: its requests were under way when the new one was set. */
const KEPT_MS = 10_000;
const renewals = new Map<string, Promise<Renewal>>();

/**
 * Several servers, or two bundles of Next in one server, may still exchange the same token. For SNAPNOTE_REFRESH_GRACE (default 60 s), the
 * service then returns the same successor.
 */
export function renew(refreshToken: string, headers: Headers): Promise<Renewal> {
  const shared = renewals.get(refreshToken);
  if (shared) return shared;
  const renewal = exchange(refreshToken, headers);
  renewals.set(refreshToken, renewal);
  void renewal.then((result) => {
    const isFailure = result !== 'ended' && 'failure' in result;
    setTimeout(() => renewals.delete(refreshToken), isFailure ? 0 : KEPT_MS).unref();
  });
  return renewal;
}

async function exchange(refreshToken: string, headers: Headers): Promise<Renewal> {
  try {
    const { refreshSession } = await send(REFRESH_SESSION, { refreshToken }, { headers });
    if (refreshSession?.accessToken && refreshSession.refreshToken) {
      return { tokens: { accessToken: refreshSession.accessToken, refreshToken: refreshSession.refreshToken } };
    }
    return 'ended';
  } catch (error) {
    const { code, retryAfterMs } = error instanceof RequestFailed ? error : new RequestFailed('INTERNAL', String(error));
    console.error('Renewing the tokens failed:', error);
    return { failure: { code, retryAfterMs } };
  }
}
