// The session of a user: a valid access token, and the refresh token for the next one.

import { openDatabase, result, stored } from './database.js';
import { REFRESH, SIGN_IN, SIGN_OUT, SIGN_UP } from './documents.js';
import type { RefreshMutation, SignInInput, SignInMutation, SignOutMutation, SignUpInput, SignUpMutation } from './generated.js';
import { RequestFailed, post, type UserError } from './remote.js';

/** The source of access tokens. Implement it yourself for an external identity provider. */
export interface Tokens {
  /** A token that is valid for some time. */
  accessToken(): Promise<string>;
  /**
   * A new token, after the service rejected `rejected`.
   * @throws {@link RequestFailed} with the code `UNAUTHENTICATED` if the user must sign in again.
   */
  renew(rejected: string): Promise<string>;
}

/** What a session keeps. Every script of the page's origin can read it, so permit only your own scripts (`Content-Security-Policy`). */
export interface SessionState {
  readonly refreshToken: string;
  readonly accessToken: string;
  /** The local time in milliseconds at which the access token is renewed. */
  readonly renewAt: number;
  readonly userId: string;
}

/** Where a session is kept. */
export interface SessionStore {
  /** The name under which the tabs of a browser share the session. Omit it if only one program uses it. */
  readonly shared?: string;
  /** The stored session. Null if the user is not signed in. */
  load(): Promise<SessionState | null>;
  /** Stores a session, or removes it. When the promise resolves, the session must survive a crash. */
  save(state: SessionState | null): Promise<void>;
}

/** A session in memory, for tests and programs. */
export class MemorySessionStore implements SessionStore {
  private state: SessionState | null = null;

  async load(): Promise<SessionState | null> {
    return this.state;
  }

  async save(state: SessionState | null): Promise<void> {
    this.state = state;
  }
}

/** A session in IndexedDB, which all tabs of a browser share. */
export class IndexedDbSessionStore implements SessionStore {
  readonly shared: string;

  /** @param name The name of the database (default `snapnote-session`). */
  constructor(name = 'snapnote-session') {
    this.shared = name;
  }

  async load(): Promise<SessionState | null> {
    return this.use('readonly', async (session) => (await result<SessionState | undefined>(session.get('state'))) ?? null);
  }

  async save(state: SessionState | null): Promise<void> {
    await this.use('readwrite', (session) => result(session.put(state, 'state')));
  }

  private async use<T>(mode: IDBTransactionMode, action: (session: IDBObjectStore) => Promise<T>): Promise<T> {
    const database = await openDatabase(this.shared, (created) => created.createObjectStore('session'));
    try {
      const transaction = database.transaction('session', mode, { durability: 'strict' });
      const [value] = await Promise.all([action(transaction.objectStore('session')), stored(transaction)]);
      return value;
    } finally {
      database.close();
    }
  }
}

/** How a session is made. */
export interface SessionOptions {
  /** `https://…/graphql` */
  url: string;
  store: SessionStore;
  /** How long to wait for a response (default 10,000). */
  timeoutMs?: number;
}

/** A lost refresh is repeated after these times, which are shorter than the 60 seconds in which the service accepts it again. */
const RETRIES_MS = [250, 1_000, 2_000, 4_000, 8_000, 16_000, 16_000];

/**
 * A session of SnapNote. The tabs that share its store make one refresh at a time. This needs Web Locks, so a secure context (HTTPS or
 * localhost). Without them, tabs may refresh at the same time, which succeeds within the service's grace of 60 seconds.
 *
 * @example
 * const session = new Session({ url, store: new IndexedDbSessionStore() });
 * const errors = await session.signIn({ email, password }); // Empty if the user is signed in.
 */
export class Session implements Tokens {
  private readonly options: SessionOptions;
  private current: SessionState | null = null;
  /** The user of this session. If another one signs in elsewhere, this session has ended: its changes are not theirs. */
  private user: string | undefined;
  private renewing: Promise<string> | undefined;
  /** The refresh token whose exchange had no response. */
  private lost: string | undefined;
  private retries = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  /** Signs a user in. Returns the errors of the input: `INVALID_CREDENTIALS`. */
  async signIn(input: SignInInput): Promise<readonly UserError[]> {
    const sentAt = Date.now();
    const { result } = await this.send<SignInMutation>(SIGN_IN, { input });
    return this.begin(result, sentAt);
  }

  /** Makes a user and signs them in. Returns the errors of the input, for example `TAKEN` or `WEAK_PASSWORD`. */
  async signUp(input: SignUpInput): Promise<readonly UserError[]> {
    const sentAt = Date.now();
    const { result } = await this.send<SignUpMutation>(SIGN_UP, { input });
    return this.begin(result, sentAt);
  }

  /** Ends the session. It ends on this device even if the service cannot be reached. */
  async signOut(): Promise<void> {
    await this.renewing?.catch(() => {});
    clearTimeout(this.retry);
    const state = await this.exclusively(async () => {
      const stored = await this.load();
      this.current = null;
      this.user = undefined;
      if (stored) await this.options.store.save(null);
      return stored;
    });
    if (state) await this.send<SignOutMutation>(SIGN_OUT, {}, state.accessToken).catch(() => {});
  }

  /** The id of the signed-in user, also without a network. Null if the user is not signed in. */
  async userId(): Promise<string | null> {
    return (this.current ?? (await this.load()))?.userId ?? null;
  }

  /** A token that is renewed after 80 % of its lifetime. */
  async accessToken(): Promise<string> {
    this.current ??= await this.load();
    if (this.current && Date.now() < this.current.renewAt) return this.current.accessToken;
    return this.renew();
  }

  /** A new token. Concurrent calls share one request, in all tabs. */
  renew(rejected?: string): Promise<string> {
    this.renewing ??= this.exclusively(() => this.refresh(rejected)).finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  /** The stored session, if it is still that of the same user. */
  private async load(): Promise<SessionState | null> {
    const state = await this.options.store.load();
    this.user ??= state?.userId;
    return state?.userId === this.user ? state : null;
  }

  private async begin(payload: SignInMutation['result'], sentAt: number): Promise<readonly UserError[]> {
    const errors = await this.exclusively(() => this.open(payload, sentAt));
    if (errors.length === 0) this.user = this.current?.userId;
    return errors;
  }

  private async exclusively<T>(action: () => Promise<T>): Promise<T> {
    const { shared } = this.options.store;
    if (shared === undefined || !globalThis.navigator?.locks) return action();
    return navigator.locks.request(`snapnote:${shared}`, action) as Promise<T>;
  }

  private async refresh(rejected: string | undefined): Promise<string> {
    const state = await this.load();
    this.current = state;
    if (!state) throw new RequestFailed('UNAUTHENTICATED', 'The user is not signed in.');
    // Another tab has renewed the tokens.
    const isLost = state.refreshToken === this.lost;
    if (state.accessToken !== rejected && !isLost && Date.now() < state.renewAt) return state.accessToken;
    const sentAt = Date.now();
    const { result } = await this.exchange(state.refreshToken);
    if ((await this.open(result, sentAt)).length === 0) return this.current!.accessToken;
    this.current = null;
    await this.options.store.save(null);
    throw new RequestFailed('UNAUTHENTICATED', 'The session has ended.');
  }

  /**
   * If the response is lost, or the program ends before the new token is stored, the old token returns the same successor for
   * 60 seconds. After that, using it ends the session. A lost exchange is therefore repeated in the background.
   */
  private async exchange(refreshToken: string): Promise<RefreshMutation> {
    clearTimeout(this.retry);
    try {
      const response = await this.send<RefreshMutation>(REFRESH, { refreshToken });
      this.retries = 0;
      this.lost = undefined;
      return response;
    } catch (error) {
      const pause = RETRIES_MS[this.retries++];
      if (pause === undefined || !(error instanceof RequestFailed && error.code === 'NETWORK')) this.retries = 0;
      else {
        this.lost = refreshToken;
        this.retry = setTimeout(() => void this.renew().catch(() => {}), pause);
      }
      throw error;
    }
  }

  /** Stores new tokens before they are used. `sentAt`: when they were requested. */
  private async open(payload: SignInMutation['result'], sentAt: number): Promise<readonly UserError[]> {
    const { accessToken, refreshToken, userErrors = [] } = payload ?? {};
    if (!accessToken || !refreshToken) {
      return userErrors.length ? userErrors : [{ code: 'INTERNAL', field: null, message: 'The response has no tokens.' }];
    }
    // Uses the token's own times, because the local clock may be wrong. Its lifetime starts after the request, however late the response is.
    const { iat, exp, sub } = claims(accessToken);
    const state = { refreshToken, accessToken, renewAt: sentAt + (exp - iat) * 800, userId: sub };
    await this.options.store.save(state);
    this.current = state;
    return [];
  }

  private send<T>(query: string, variables: object, token: string | null = null): Promise<T> {
    return post<T>(this.options.url, token, query, variables, AbortSignal.timeout(this.options.timeoutMs ?? 10_000));
  }
}

function claims(token: string): { iat: number; exp: number; sub: string } {
  const payload = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
  return JSON.parse(atob(payload)) as { iat: number; exp: number; sub: string };
}
