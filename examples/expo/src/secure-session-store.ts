// Keeps the session in the keychain of iOS or the keystore of Android.

import type { SessionState, SessionStore } from '@snapnote/client';

/** What this store uses of expo-secure-store. */
export interface Keychain<Options> {
  getItemAsync(key: string, options?: Options): Promise<string | null>;
  setItemAsync(key: string, value: string, options?: Options): Promise<void>;
  deleteItemAsync(key: string, options?: Options): Promise<void>;
}

const KEY = 'snapnote-session';

export class SecureSessionStore<Options> implements SessionStore {
  readonly #keychain: Keychain<Options>;
  readonly #options: Options;

  constructor(keychain: Keychain<Options>, options: Options) {
    this.#keychain = keychain;
    this.#options = options;
  }

  /** Returns null if the entry cannot be read: Android cannot decrypt it after the app was restored from a backup. */
  async load(): Promise<SessionState | null> {
    const text = await this.#keychain.getItemAsync(KEY, this.#options).catch(() => null);
    return text === null ? null : (JSON.parse(text) as SessionState);
  }

  async save(state: SessionState | null): Promise<void> {
    if (state) await this.#keychain.setItemAsync(KEY, JSON.stringify(state), this.#options);
    else await this.#keychain.deleteItemAsync(KEY, this.#options);
  }
}
