// The offline-first client. It stores and shows the user's changes immediately, sends them in order from the outbox, and receives
// changes of other devices through the change feed. docs/sync.md explains the design.

import { newId, type Fields, type Item, type ItemOf, type ItemType, type NewFields, type Values } from './items.js';
import { absorb, valueOf, type Conflict, type Entry } from './outbox.js';
import { Remote, type RemoteOptions, type UserError } from './remote.js';
import { Replica } from './replica.js';
import type { Batch, Commit, Rejection, Store } from './store.js';
import { Sync } from './sync.js';
import { Tabs, type Message, type Status } from './tabs.js';

/** Events of a browser after which a retry may succeed: the network or the user returns. */
const RETURN = ['online', 'visibilitychange'];

/** How a client is made. */
export interface ClientOptions extends RemoteOptions {
  /** Where items and unsent changes are kept. A store belongs to one user. */
  store: Store;
  /**
   * Returns the value for a field that was changed here and elsewhere: `mine`, `theirs`, or any combination. It is synchronous.
   * To let the user decide, return one of them, show both, and send the decision as a normal update. The tab that is connected calls it.
   * If it throws, or returns a promise or undefined, the change is rejected with the code `CONFLICT` and stays in
   * {@link OfflineClient.rejections}.
   */
  onConflict: (conflict: Conflict) => unknown;
  /**
   * Called in every open tab when the service rejects a change. The change has left the outbox, and stays in
   * {@link OfflineClient.rejections} until the app dismisses it. To write in it, check {@link OfflineClient.isConnectedTab}, so that only
   * one tab does.
   */
  onRejected?: (entry: Entry, errors: readonly UserError[]) => void;
}

/** The service rejected a change. */
export class Rejected extends Error {
  readonly entry: Entry;
  readonly errors: readonly UserError[];

  constructor(entry: Entry, errors: readonly UserError[]) {
    super(`The service rejected a change: ${errors.map(({ code, message }) => `${code}: ${message}`).join(' ')}`);
    this.name = 'Rejected';
    this.entry = entry;
    this.errors = errors;
  }
}

/**
 * A client that works without a network and synchronizes later.
 *
 * With {@link IndexedDbStore}, the tabs of a browser elect one that is connected. All tabs write to the shared outbox, and show the same
 * items. When the connected tab closes, another one takes over.
 *
 * @example
 * const session = new Session({ url, store: new IndexedDbSessionStore() });
 * const client = await OfflineClient.open({
 *   url,
 *   tokens: session,
 *   store: new IndexedDbStore(`notes-${await session.userId()}`),
 *   onConflict: ({ mine }) => mine,
 *   onRejected: (entry, errors) => console.error('Rejected:', entry, errors),
 * });
 * client.subscribe(() => console.log(client.status, client.items().size));
 * client.start();
 * await client.create('Task', { title: 'Register for the exam' });
 */
export class OfflineClient {
  private readonly options: ClientOptions;
  private readonly remote: Remote;
  private readonly replica: Replica;
  private readonly tabs: Tabs;
  private readonly sync: Sync;
  private currentStatus: Status = 'offline';
  private isLeading = false;
  private isOpen = false;
  /** Whether the app has called {@link start} and not {@link stop}. */
  private wanted = false;
  /** The last rejection of each item that has not been changed since. */
  private readonly lastRejections = new Map<string, Rejected>();
  private stopping = new AbortController();
  private running: Promise<void> | undefined;
  private readonly onReturn = () => this.wake();

  private constructor(options: ClientOptions) {
    this.options = options;
    this.remote = new Remote(options);
    const post = (commit: Commit) => this.tabs.post({ kind: 'commit', commit });
    this.replica = new Replica(options.store, post, ({ entry, errors }) => this.rejected(entry, errors));
    this.tabs = new Tabs(options.store.shared, (message) => this.receive(message));
    this.sync = new Sync(this.remote, this.replica, {
      onConflict: options.onConflict,
      onStatus: (status) => this.show(status),
    });
    this.replica.subscribe(() => {
      if (this.replica.state.outbox.length > 0) this.sync.send();
    });
  }

  /** Opens a client with the stored state. Call {@link start} to connect it. */
  static async open(options: ClientOptions): Promise<OfflineClient> {
    const client = new OfflineClient(options);
    try {
      await client.replica.reload();
    } catch (error) {
      client.tabs.close();
      options.store.close?.();
      throw error;
    }
    client.isOpen = true;
    client.tabs.post({ kind: 'hello' });
    return client;
  }

  /** The state of the connection, which one tab has for all. */
  get status(): Status {
    return this.currentStatus;
  }

  /** Whether this tab is the one that is connected. Always true after `start` if only one client uses the store. */
  get isConnectedTab(): boolean {
    return this.isLeading;
  }

  /** Whether all items have been read from the service once. Before that, only items of this device are visible. It stays true. */
  get isLoaded(): boolean {
    return this.replica.state.cursor !== null;
  }

  /** All items as the user sees them, with unsent changes. The same map is returned until something changes. */
  items(): ReadonlyMap<string, Item> {
    return this.replica.items();
  }

  /** The item with an id, if it has this type. */
  item<T extends ItemType>(type: T, id: string): ItemOf<T> | undefined {
    const item = this.items().get(id);
    return item?.type === type ? (item as ItemOf<T>) : undefined;
  }

  /** Changes that the service has not confirmed yet. */
  outbox(): readonly Entry[] {
    return this.replica.outbox();
  }

  /**
   * Changes that the service rejected, and why. They are stored, so that the user's work is not lost: show them, and
   * {@link dismiss} each one that the user has seen.
   */
  rejections(): readonly Rejection[] {
    return this.replica.state.rejected;
  }

  /** Removes a change from {@link rejections}. */
  async dismiss({ entry }: Rejection): Promise<void> {
    await this.replica.commit(() => ({ dismissed: [entry.key] }));
  }

  /** Calls a listener after each change of the items, the outbox or the status. Returns a function that ends this. */
  subscribe(listener: () => void): () => void {
    return this.replica.subscribe(listener);
  }

  /**
   * Stores a new item and returns its id. The change is visible at once, and stored when the promise resolves.
   * @param id A UUID of your own, for example one of {@link newId} that you need before.
   */
  async create<T extends ItemType>(type: T, fields: NewFields<T>, id = newId()): Promise<string> {
    // The service does not create completed tasks.
    const { completed, ...rest } = fields as Values;
    const entry = { key: newId(), kind: 'create', type, id, fields: rest } as const;
    const created = this.add(entry);
    const both = completed === true ? [created, this.edit('Task', id, { completed })] : [created];
    await Promise.all(both);
    return id;
  }

  /**
   * Changes fields of an active item. The change is visible at once, and stored when the promise resolves.
   * @throws Error if there is no active item of this type with this id.
   */
  async update<T extends ItemType>(type: T, id: string, fields: Partial<Fields[T]>): Promise<void> {
    const item = this.items().get(id);
    if (item?.type !== type || item.status !== 'ACTIVE') throw new Error(`There is no active ${type} ${id}.`);
    await this.edit(type, id, fields as Values);
  }

  /** Moves an item to the trash, a course with all its items. */
  async trash(id: string): Promise<void> {
    await this.move('trash', id, 'ACTIVE');
  }

  /** Restores an item from the trash, a course with the items that were trashed with it. */
  async restore(id: string): Promise<void> {
    await this.move('restore', id, 'TRASH');
  }

  /** Deletes an item in the trash permanently. */
  async delete(id: string): Promise<void> {
    await this.move('delete', id, 'TRASH');
  }

  /**
   * Resolves when the service has confirmed all changes of an item.
   * @throws {@link Rejected} if the service rejects one of them. A rejection counts until the item is changed again. After a restart, it
   * counts if the app has not dismissed it.
   */
  confirmed(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.outbox().some((entry) => entry.id === id)) return;
        unsubscribe();
        const rejected = this.lastRejections.get(id);
        if (rejected) reject(rejected);
        else resolve();
      };
      const unsubscribe = this.subscribe(check);
      check();
    });
  }

  /**
   * Sends a query or mutation of your own, with a valid token. It needs the network: nothing is stored, and nothing is repeated.
   * @throws {@link RequestFailed}
   * @example const { search } = await client.request<SearchQuery>(SEARCH, { query: 'groups' });
   */
  request<T>(query: string, variables: object = {}, signal = new AbortController().signal): Promise<T> {
    return this.remote.call<T>(query, variables, signal);
  }

  /** Connects, and reconnects after failures, or waits until the connected tab closes. */
  start(): void {
    this.wanted = true;
    const before = this.running;
    if (before && !this.stopping.signal.aborted) return;
    this.stopping = new AbortController();
    for (const event of RETURN) globalThis.addEventListener?.(event, this.onReturn);
    const { signal } = this.stopping;
    const lead = () => (signal.aborted ? undefined : this.tabs.lead(() => this.lead(signal), signal));
    const run: Promise<void> = Promise.resolve(before).then(lead).finally(() => {
      if (this.running !== run) return;
      for (const event of RETURN) globalThis.removeEventListener?.(event, this.onReturn);
      this.running = undefined;
    });
    this.running = run;
  }

  /** Disconnects. Changes are still stored, and sent after the next {@link start}. */
  async stop(): Promise<void> {
    this.wanted = false;
    this.stopping.abort();
    this.sync.wake();
    await this.running;
  }

  /** Disconnects, and closes the store. The client cannot be used after this. */
  async close(): Promise<void> {
    await this.stop();
    await this.replica.settled();
    this.tabs.close();
    this.options.store.close?.();
  }

  /** Retries now. In browsers, this happens when the network returns and when the user returns to the tab. */
  wake(): void {
    this.sync.wake();
    this.tabs.post({ kind: 'wake' });
  }

  private async lead(signal: AbortSignal): Promise<void> {
    this.isLeading = true;
    // An app that waits for the first items must not take the state before the first attempt for a failure.
    this.show('catching up');
    try {
      // Another tab may have stored something whose message has not arrived.
      await this.replica.reload();
      await this.sync.run(signal);
    } catch {
      this.show('broken');
    } finally {
      this.isLeading = false;
    }
  }

  private async edit(type: ItemType, id: string, fields: Values): Promise<void> {
    const item = this.items().get(id);
    const base = Object.fromEntries(Object.keys(fields).map((field) => [field, item && valueOf(item, field)]));
    const entry = { key: newId(), kind: 'update', type, id, fields, base } as const;
    await this.add(entry, (outbox) => absorb(outbox, entry));
  }

  private async move(kind: 'trash' | 'restore' | 'delete', id: string, from: Item['status']): Promise<void> {
    const item = this.items().get(id);
    if (!item) throw new Error(`There is no item ${id}.`);
    if (item.status !== from) return;
    const entry = { key: newId(), kind, type: item.type, id } as const;
    await this.add(entry);
  }

  private show(status: Status): void {
    this.currentStatus = status;
    if (this.isLeading) this.tabs.post({ kind: 'status', status, revision: this.replica.state.revision });
    this.replica.notify();
  }

  private rejected(entry: Entry, errors: readonly UserError[]): void {
    this.lastRejections.set(entry.id, new Rejected(entry, errors));
    // The app has seen the rejections that were stored before this client was opened.
    if (this.isOpen) queueMicrotask(() => this.options.onRejected?.(entry, errors));
  }

  /** Stores a change of the user. */
  private async add(entry: Entry, build: (outbox: readonly Entry[]) => Batch = () => ({ enqueue: [entry] })): Promise<void> {
    this.lastRejections.delete(entry.id);
    await this.replica.add(entry, build);
  }

  private receive(message: Message): void {
    switch (message.kind) {
      case 'commit':
        return this.replica.receive(message.commit);
      case 'status':
        void this.replica.expect(message.revision).catch(() => {});
        this.show(message.status);
        // Another tab has signed in again: this one may have to take over later. Only `live` proves it: a tab that is not signed in
        // tries to catch up, too.
        if (this.wanted && !this.running && message.status === 'live') this.start();
        return;
      case 'hello':
        return this.isLeading ? this.show(this.status) : undefined;
      case 'wake':
        return this.sync.wake();
    }
  }
}
