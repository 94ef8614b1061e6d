// The session: a valid access token, and the refresh token for the next one.

import { RequestFailed, post } from './remote.js';

/** The source of access tokens. Implement it yourself for an external identity provider. */
export interface Tokens {
  /** A token that is valid for some time. */
  accessToken(): Promise<string>;
  /** A new token, after the service rejected the last one. Throws UNAUTHENTICATED if the user must sign in again. */
  renew(): Promise<string>;
}

const REFRESH = `mutation($refreshToken: String!) {
  refreshSession(input: { refreshToken: $refreshToken }) { accessToken refreshToken userErrors { code } }
}`;

interface Refreshed {
  refreshSession: { accessToken: string | null; refreshToken: string | null; userErrors: { code: string }[] };
}

export class Session implements Tokens {
  private current: { token: string; until: number } | undefined;
  private renewing: Promise<string> | undefined;

  constructor(
    private readonly url: string,
    private refreshToken: string,
    /** Stores the newest refresh token persistently. */
    private readonly saveRefreshToken: (refreshToken: string) => Promise<void>,
    private readonly timeoutMs = 10_000,
  ) {}

  async accessToken(): Promise<string> {
    return this.current && Date.now() < this.current.until ? this.current.token : this.renew();
  }

  /** Concurrent calls share one request. */
  renew(): Promise<string> {
    this.renewing ??= this.refresh().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  /**
   * If the response is lost, or the program ends before the new token is stored, the old token returns the same successor for
   * 60 seconds. After that, using it ends the session. The new token is therefore stored before it is used.
   */
  private async refresh(): Promise<string> {
    const timeout = AbortSignal.timeout(this.timeoutMs);
    const { data } = await post<Refreshed>(this.url, null, REFRESH, { refreshToken: this.refreshToken }, timeout);
    const { accessToken, refreshToken } = data.refreshSession;
    if (!accessToken || !refreshToken) throw new RequestFailed('UNAUTHENTICATED', 'The session has ended.');
    await this.saveRefreshToken(refreshToken);
    this.refreshToken = refreshToken;
    // Uses the token's own times, because the local clock may be wrong. The token is renewed after 80 % of its lifetime.
    const { iat, exp } = JSON.parse(atob(accessToken.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')));
    this.current = { token: accessToken, until: Date.now() + (exp - iat) * 800 };
    return accessToken;
  }
}
