// The tokens of an external identity provider, shared by all tabs.

import { RequestFailed, type Tokens } from '@snapnote/client';
import { Denied, providerOf, refresh, type ProviderTokens } from './oidc.ts';

const KEY = 'snapnote:external';

/** A sign-in at an external identity provider. */
export interface ExternalSession extends ProviderTokens {
  readonly provider: string;
  /** The user's id at SnapNote. */
  readonly userId: string;
}

export function externalSession(): ExternalSession | null {
  return JSON.parse(localStorage.getItem(KEY) ?? 'null') as ExternalSession | null;
}

export function saveExternalSession(session: ExternalSession | null): void {
  if (session) localStorage.setItem(KEY, JSON.stringify(session));
  else localStorage.removeItem(KEY);
}

/** The source of access tokens for the client package. One tab at a time renews them. */
export class ExternalTokens implements Tokens {
  private readonly userId: string;

  constructor(userId: string) {
    this.userId = userId;
  }

  async accessToken(): Promise<string> {
    const session = this.current();
    return Date.now() < session.renewAt ? session.accessToken : this.renew();
  }

  renew(rejected?: string): Promise<string> {
    const locks = navigator.locks as LockManager | undefined;
    return locks ? locks.request('snapnote:external', () => this.replace(rejected)) : this.replace(rejected);
  }

  private current(): ExternalSession {
    const session = externalSession();
    if (session?.userId !== this.userId) throw new RequestFailed('UNAUTHENTICATED', 'The user is not signed in.');
    return session;
  }

  private async replace(rejected: string | undefined): Promise<string> {
    const session = this.current();
    // Another tab has renewed the tokens.
    if (session.accessToken !== rejected && Date.now() < session.renewAt) return session.accessToken;
    if (!session.refreshToken) throw new RequestFailed('UNAUTHENTICATED', 'The session has ended.');
    try {
      const tokens = await refresh(providerOf(session.provider), session.refreshToken);
      saveExternalSession({ ...session, ...tokens });
      return tokens.accessToken;
    } catch (error) {
      if (error instanceof Denied) throw new RequestFailed('UNAUTHENTICATED', error.message);
      throw new RequestFailed('NETWORK', String(error));
    }
  }
}
