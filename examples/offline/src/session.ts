// Who is signed in here: an access token that is good, and the refresh token that gets the next one.

import { Failed, post } from './remote.js';

/** What the client needs of whoever knows the tokens; write your own for an outside issuer. */
export interface Tokens {
  /** One that is good for a while yet. */
  accessToken(): Promise<string>;
  /** A new one, since the service does not take the last one. Throws UNAUTHENTICATED if one must sign in anew. */
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
    /** Keeps the newest refresh token where it outlives the program. */
    private readonly keep: (refreshToken: string) => Promise<void>,
    private readonly patienceMs = 10_000,
  ) {}

  async accessToken(): Promise<string> {
    return this.current && Date.now() < this.current.until ? this.current.token : this.renew();
  }

  /** One at a time, whoever asks. */
  renew(): Promise<string> {
    this.renewing ??= this.refresh().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  /**
   * If the response is lost, or the program ends before the new token is stored, the old token returns the same successor for
   * 60 seconds. After that it ends the session. So the new token is stored before it is used.
   */
  private async refresh(): Promise<string> {
    const patience = AbortSignal.timeout(this.patienceMs);
    const { data } = await post<Refreshed>(this.url, null, REFRESH, { refreshToken: this.refreshToken }, patience);
    const { accessToken, refreshToken } = data.refreshSession;
    if (!accessToken || !refreshToken) throw new Failed('UNAUTHENTICATED', 'The session has ended.');
    await this.keep(refreshToken);
    this.refreshToken = refreshToken;
    // By the token's own times: the clock here may be wrong. A fifth of its life before its end it is renewed.
    const { iat, exp } = JSON.parse(atob(accessToken.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')));
    this.current = { token: accessToken, until: Date.now() + (exp - iat) * 800 };
    return accessToken;
  }
}
