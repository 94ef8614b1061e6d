// A simulated device: a flaky network, a session, and a store in a file.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  OfflineClient, same, Session,
  type Batch, type Commit, type Conflict, type Entry, type Item, type SessionState, type Values,
} from '@snapnote/client';
import { FileSessionStore, FileStore } from '@snapnote/client/node';
import WebSocket from 'ws';
import { FlakyProxy } from './flaky-proxy.js';

/** Ignores errors of sockets that close before they open. Without a listener, Node would end the program. */
class QuietSocket extends WebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols);
    this.on('error', () => {});
  }
}

/** Short, so that frozen connections do not slow down the demos. */
const TIMEOUT_MS = 2_000;

/** A slow store that can simulate a crash of the program: after it, nothing is stored. */
class CrashableStore extends FileStore {
  crashed = false;

  override async commit(change: (outbox: readonly Entry[]) => Batch): Promise<Commit> {
    await new Promise((done) => setTimeout(done, 5));
    if (this.crashed) throw new Error('The program has crashed.');
    return super.commit(change);
  }
}

/** A session that ends with the program, which would otherwise repeat lost refreshes. */
class CrashableSessionStore extends FileSessionStore {
  crashed = false;

  override async load(): Promise<SessionState | null> {
    if (this.crashed) throw new Error('The program has crashed.');
    return super.load();
  }

  override async save(state: SessionState | null): Promise<void> {
    if (!this.crashed) await super.save(state);
  }
}

export interface Credentials {
  email: string;
  password: string;
}

export class Device {
  client!: OfflineClient;
  tokens!: Session;
  private store!: CrashableStore;
  private sessions!: CrashableSessionStore;
  readonly conflicts: Conflict[] = [];
  readonly rejected: { entry: Entry; codes: string[] }[] = [];
  /** How conflicts are resolved. By default the last writer wins: `theirs`, if `mine` may already be applied. */
  resolveConflict: (conflict: Conflict) => unknown = ({ mine, theirs, mayBeApplied }) => (mayBeApplied ? theirs : mine);

  private constructor(readonly name: string, readonly proxy: FlakyProxy, readonly path: string) {}

  static async signedIn(name: string, service: string, user: Credentials, folder: string): Promise<Device> {
    const device = new Device(name, await FlakyProxy.start(service), `${folder}/${name}`);
    const session = new Session({ url: service, store: new FileSessionStore(`${device.path}.session`) });
    const [error] = await session.signIn(user);
    if (error) throw new Error(error.message);
    await device.open();
    return device;
  }

  /** Starts the program from its stored files. */
  async open(): Promise<void> {
    const { url } = this.proxy;
    const store = new CrashableStore(`${this.path}.json`);
    this.sessions = new CrashableSessionStore(`${this.path}.session`);
    const tokens = new Session({ url, store: this.sessions, timeoutMs: TIMEOUT_MS });
    this.store = store;
    this.tokens = tokens;
    this.client = await OfflineClient.open({
      url,
      tokens,
      store,
      webSocket: QuietSocket,
      timeoutMs: TIMEOUT_MS,
      onConflict: (conflict) => {
        this.conflicts.push(conflict);
        return this.resolveConflict(conflict);
      },
      onRejected: (entry, errors) => this.rejected.push({ entry, codes: errors.map(({ code }) => code) }),
    });
    this.client.start();
  }

  /** Simulates a crash and restart of the program. */
  async crash(): Promise<void> {
    this.store.crashed = true;
    this.sessions.crashed = true;
    this.client.stop().catch(() => {});
    await this.open();
  }

  /** Simulates a clean restart of the program. */
  async reopen(): Promise<void> {
    await this.client.stop();
    await this.open();
  }

  /** Turns the stored cursor into one of another database, so that it has expired. The program must not be running. */
  expireCursor(): void {
    const path = `${this.path}.json`;
    if (!existsSync(path)) return;
    const state = JSON.parse(readFileSync(path, 'utf8'));
    if (state.cursor === null) return;
    const bytes = Buffer.from(state.cursor, 'base64url');
    bytes[1]! ^= 0xff;
    writeFileSync(path, JSON.stringify({ ...state, cursor: bytes.toString('base64url') }));
  }

  /** The session as it is stored. */
  storedSession(): SessionState {
    return JSON.parse(readFileSync(`${this.path}.session`, 'utf8')) as SessionState;
  }

  /** Makes the stored access token invalid, as if the service had a new secret. The program must not be running. */
  spoilToken(): void {
    const state = this.storedSession();
    writeFileSync(`${this.path}.session`, JSON.stringify({ ...state, accessToken: state.accessToken.replace(/.{8}$/, 'invalid_') }));
  }

  /** Waits until a condition holds, and wakes the client whenever it is offline. */
  async waitUntil(what: string, holds: () => boolean | Promise<boolean>, limitMs = 120_000): Promise<void> {
    // Conditions that read the service must not reach its limits.
    for (let [began, pause] = [Date.now(), 50]; !(await holds()); pause = Math.min(1.2 * pause, 1_000)) {
      if (Date.now() - began > limitMs) throw new Error(`${this.name}: timeout waiting until ${what}; status: ${this.client.status}`);
      await new Promise((done) => setTimeout(done, pause));
      if (this.client.status === 'offline') this.client.wake();
    }
  }

  async live(): Promise<void> {
    await this.waitUntil('live', () => this.client.status === 'live');
  }

  async close(): Promise<void> {
    await this.client.stop();
    this.proxy.close();
  }
}

/** Describes the differences between two sets of items. Empty if they are equal. */
export function differences(one: ReadonlyMap<string, Item>, other: ReadonlyMap<string, Item>): string[] {
  const found: string[] = [];
  for (const id of new Set([...one.keys(), ...other.keys()])) {
    const [a, b] = [one.get(id), other.get(id)];
    const plain = (item: Item | undefined) => item && ({ ...item, ...item.fields, fields: undefined } as unknown as Values);
    const [left, right] = [plain(a), plain(b)];
    const all = Object.keys({ ...left, ...right });
    if (!left || !right) found.push(`${id} exists on one side only: ${JSON.stringify(a ?? b)}`);
    else for (const key of all) if (!same(key, left[key], right[key])) found.push(`${id} ${key}: ${left[key]} / ${right[key]}`);
  }
  return found;
}
