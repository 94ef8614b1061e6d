// A device of somebody's: a line of its own, a session of its own, and a store in a file.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import WebSocket from 'ws';
import { OfflineClient } from '../src/client.js';
import { FileStore } from '../src/file-store.js';
import { same, type Item, type Values } from '../src/items.js';
import type { Conflict, Entry } from '../src/outbox.js';
import { post } from '../src/remote.js';
import { Session } from '../src/session.js';
import type { Batch } from '../src/store.js';
import { Line } from './line.js';

/** An error of a socket that is closed before it was open is told to nobody else; Node ends a program for that. */
class QuietSocket extends WebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols);
    this.on('error', () => {});
  }
}

/** Short, so that the lines of the demos need not be dead for long. */
const PATIENCE = 2_000;

/** A store that takes its time, and whose program can end at any moment: nothing is stored after that. */
class MortalStore extends FileStore {
  dead = false;

  override async commit(batch: Batch): Promise<void> {
    await new Promise((done) => setTimeout(done, 5));
    if (this.dead) throw new Error('The program has ended.');
    await super.commit(batch);
  }
}

export interface Credentials {
  email: string;
  password: string;
}

export class Device {
  client!: OfflineClient;
  private store!: MortalStore;
  readonly conflicts: Conflict[] = [];
  readonly refused: { entry: Entry; codes: string[] }[] = [];
  /** What to do about conflicts: by default the last writer's, which is the other one if this one's may be done already. */
  decide: (conflict: Conflict) => unknown = ({ mine, theirs, mayBeDone }) => (mayBeDone ? theirs : mine);

  private constructor(readonly name: string, readonly line: Line, readonly path: string) {}

  static async signedIn(name: string, service: string, who: Credentials, folder: string): Promise<Device> {
    const device = new Device(name, await Line.to(service), `${folder}/${name}`);
    const query = `mutation($who: SignInInput!) { signIn(input: $who) { refreshToken } }`;
    const { data } = await post<{ signIn: { refreshToken: string } }>(service, null, query, { who });
    writeFileSync(`${device.path}.token`, data.signIn.refreshToken);
    await device.open();
    return device;
  }

  /** Starts the program: whatever it knows, it has from its files. */
  async open(): Promise<void> {
    const { url } = this.line;
    const token = `${this.path}.token`;
    const store = new MortalStore(`${this.path}.json`);
    const keep = async (next: string) => (store.dead ? undefined : writeFileSync(token, next));
    const tokens = new Session(url, readFileSync(token, 'utf8'), keep, PATIENCE);
    this.store = store;
    this.client = await OfflineClient.open({
      url,
      tokens,
      store,
      webSocket: QuietSocket,
      patienceMs: PATIENCE,
      onConflict: (conflict) => {
        this.conflicts.push(conflict);
        return this.decide(conflict);
      },
      onRefused: (entry, errors) => this.refused.push({ entry, codes: errors.map(({ code }) => code) }),
    });
    this.client.start();
  }

  /** As if the program had been killed, and started again. */
  async crash(): Promise<void> {
    this.store.dead = true;
    this.client.stop().catch(() => {});
    await this.open();
  }

  /** As if the program had been started again. */
  async reopen(): Promise<void> {
    await this.client.stop();
    await this.open();
  }

  /** The cursor that is kept becomes one of another database; the program must not be running. */
  spoilCursor(): void {
    const path = `${this.path}.json`;
    if (!existsSync(path)) return;
    const state = JSON.parse(readFileSync(path, 'utf8'));
    if (state.cursor === null) return;
    const bytes = Buffer.from(state.cursor, 'base64url');
    bytes[1]! ^= 0xff;
    writeFileSync(path, JSON.stringify({ ...state, cursor: bytes.toString('base64url') }));
  }

  /** Waits, and does not let the client wait when it is offline. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (const began = Date.now(); !holds(); ) {
      if (Date.now() - began > 120_000) throw new Error(`${this.name}: never ${what}; it is ${this.client.status}`);
      await new Promise((done) => setTimeout(done, 50));
      if (this.client.status === 'offline') this.client.wake();
    }
  }

  async live(): Promise<void> {
    await this.until('live', () => this.client.status === 'live');
  }

  async close(): Promise<void> {
    await this.client.stop();
    this.line.close();
  }
}

/** In words, how two sets of items differ; nothing, if they do not. */
export function differences(one: ReadonlyMap<string, Item>, other: ReadonlyMap<string, Item>): string[] {
  const found: string[] = [];
  for (const id of new Set([...one.keys(), ...other.keys()])) {
    const [a, b] = [one.get(id), other.get(id)];
    const plain = (item: Item | undefined) => item && ({ ...item, ...item.fields, fields: undefined } as Values);
    const [left, right] = [plain(a), plain(b)];
    const all = Object.keys({ ...left, ...right });
    if (!left || !right) found.push(`${id} is here or there alone: ${JSON.stringify(a ?? b)}`);
    else for (const key of all) if (!same(key, left[key], right[key])) found.push(`${id} ${key}: ${left[key]} / ${right[key]}`);
  }
  return found;
}
