// The offline-first client. It stores and shows the user's changes immediately, sends them in order from the outbox, and receives
// changes of other devices through the change feed. docs/sync.md explains the design.

import {
  inputOf, ITEM, itemOf, newId, same, untagged,
  type Fields, type Item, type ItemPayload, type ItemType, type Values,
} from './items.js';
import { hasSucceeded, isAchieved, overlay, rebase, remainingChanges, type Conflict, type Entry, type Update } from './outbox.js';
import { Remote, RequestFailed, type Change, type RemoteOptions } from './remote.js';
import { apply, type Batch, type State, type Store } from './store.js';

export interface UserError {
  code: string;
  field: string[] | null;
  message: string;
}

export interface ClientOptions extends RemoteOptions {
  store: Store;
  /**
   * Returns the value for a field that was changed here and elsewhere: `mine`, `theirs`, or any combination. It is synchronous.
   * To let the user decide, return one of them, show both, and send the decision as a normal update.
   */
  onConflict: (conflict: Conflict) => unknown;
  /** Called when the service rejects a change. The change has left the outbox: show it, so that the user's work is not lost. */
  onRejected: (entry: Entry, errors: UserError[]) => void;
}

export type Status = 'offline' | 'catching up' | 'live' | 'signed out' | 'broken';

/** Errors that a retry cannot fix. */
const PERMANENT_ERRORS = ['BAD_REQUEST', 'PARSE_FAILED', 'VALIDATION_FAILED', 'BAD_USER_INPUT', 'QUERY_TOO_COMPLEX', 'FORBIDDEN'];

export class OfflineClient {
  status: Status = 'offline';
  private readonly remote: Remote;
  private readonly listeners = new Set<() => void>();
  private view: ReadonlyMap<string, Item> | undefined;
  /** Ids of deleted items. A late response must not restore them; the service never reuses an id. */
  private readonly deletedIds = new Set<string>();
  private wakeUp = () => {};
  private stopping = new AbortController();
  private running: Promise<void> | undefined;

  private constructor(private readonly options: ClientOptions, private readonly state: State) {
    this.remote = new Remote(options);
  }

  static async open(options: ClientOptions): Promise<OfflineClient> {
    return new OfflineClient(options, await options.store.load());
  }

  // ---- The API for an app.

  /** All items as the user sees them. The same map is returned until something changes. */
  items(): ReadonlyMap<string, Item> {
    this.view ??= overlay(this.state.items, this.state.outbox);
    return this.view;
  }

  /** Changes that the service has not confirmed yet. */
  outbox(): readonly Entry[] {
    return this.state.outbox;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Stores a new item and returns its id. `completed` can only be set by an update. */
  async create<T extends ItemType>(type: T, fields: Omit<Fields[T], 'completed'>): Promise<string> {
    const id = newId();
    await this.enqueue({ key: newId(), kind: 'create', type, id, fields: fields as Values });
    return id;
  }

  async update<T extends ItemType>(type: T, id: string, fields: Partial<Fields[T]>): Promise<void> {
    const item = this.items().get(id);
    if (item?.type !== type || item.status !== 'ACTIVE') throw new Error(`There is no active ${type} ${id}.`);
    const update = { key: newId(), kind: 'update', type, id, fields: {}, base: {} } as const;
    // An update that was not sent yet absorbs this one. One that was sent must not change: it may have succeeded.
    const last = this.state.outbox.findLast((entry) => entry.id === id);
    const open = last?.kind === 'update' && last.sent === undefined ? last : undefined;
    const base: Values = { ...open?.base };
    const all: Values = { ...open?.fields, ...fields };
    for (const field of Object.keys(fields)) if (!(field in base)) base[field] = (item.fields as Values)[field];
    for (const field of Object.keys(all)) {
      if (same(field, all[field], base[field])) [all, base].forEach((values) => delete values[field]);
    }
    await this.enqueue({ ...(open ?? update), fields: all, base });
  }

  async trash(id: string): Promise<void> {
    await this.move('trash', id, 'ACTIVE');
  }

  async restore(id: string): Promise<void> {
    await this.move('restore', id, 'TRASH');
  }

  /** Deletes an item in the trash permanently. */
  async delete(id: string): Promise<void> {
    await this.move('delete', id, 'TRASH');
  }

  start(): void {
    this.stopping = new AbortController();
    this.running ??= this.run(this.stopping.signal).finally(() => (this.running = undefined));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.running;
  }

  /** Retries now, for example when the network returns: `addEventListener('online', () => client.wake())`. */
  wake(): void {
    this.wakeUp();
  }

  // ---- Local state.

  private async move(kind: 'trash' | 'restore' | 'delete', id: string, from: Item['status']): Promise<void> {
    const item = this.items().get(id);
    if (!item) throw new Error(`There is no item ${id}.`);
    if (item.status === from) await this.enqueue({ key: newId(), kind, type: item.type, id });
  }

  /** Adds an entry to the outbox, or replaces the one with the same key. An update without fields is removed. */
  private async enqueue(entry: Entry): Promise<void> {
    const { outbox } = this.state;
    const exists = outbox.some(({ key }) => key === entry.key);
    const empty = entry.kind === 'update' && Object.keys(entry.fields).length === 0;
    if (empty) await this.commit({ outbox: this.outboxWithout(entry) });
    else await this.commit({ outbox: exists ? outbox.map((one) => (one.key === entry.key ? entry : one)) : [...outbox, entry] });
    if (this.status === 'live') this.wake();
  }

  private outboxWithout(entry: Entry): Entry[] {
    return this.state.outbox.filter(({ key }) => key !== entry.key);
  }

  /** Applies a batch in memory and in the store. Only newer items are accepted, so data may arrive late or twice. */
  private async commit(batch: Batch): Promise<void> {
    if (this.status === 'broken') throw new Error('A change could not be stored. Open the client again.');
    const { items } = this.state;
    if (batch.replaceAll) this.deletedIds.clear();
    for (const id of batch.remove ?? []) this.deletedIds.add(id);
    const isNewer = (item: Item) => !this.deletedIds.has(item.id) && item.version > (items.get(item.id)?.version ?? 0);
    const put = batch.replaceAll ? batch.put : batch.put?.filter(isNewer);
    batch = { ...batch, ...(put && { put }) };
    const gone = (batch.put ?? []).filter(({ type, status }) => type === 'Tag' && status === 'TRASH').map(({ id }) => id);
    if (!batch.replaceAll) batch = this.withoutTags(batch, [...gone, ...(batch.remove ?? [])]);
    apply(this.state, batch);
    this.view = undefined;
    this.changed();
    try {
      await this.options.store.commit(batch);
    } catch (error) {
      // Memory is now ahead of the store. Storing later batches would hide the missing one.
      this.stopping.abort();
      this.changed('broken');
      throw error;
    }
  }

  /** The batch, with the change that items no longer have these tags. Their versions stay the same. */
  private withoutTags(batch: Batch, tags: string[]): Batch {
    const put = new Map((batch.put ?? []).map((item) => [item.id, item]));
    const items = new Map([...this.state.items, ...put]);
    for (const tag of tags) {
      for (const item of untagged(items.values(), tag)) [items, put].forEach((map) => map.set(item.id, item));
    }
    return { ...batch, put: [...put.values()] };
  }

  private changed(status = this.status): void {
    this.status = status;
    for (const listener of this.listeners) listener();
  }

  // ---- Connection loop.

  private async run(stop: AbortSignal): Promise<void> {
    let pause = 0;
    while (!stop.aborted) {
      let failure: unknown;
      try {
        this.changed('catching up');
        await this.catchUp(stop);
        pause = 0;
        this.changed('live');
        await this.stayLive(stop);
      } catch (error) {
        failure = error;
      }
      if (stop.aborted) break;
      const { code = 'NETWORK', retryAfterMs = 0 } = failure instanceof RequestFailed ? failure : {};
      if (code === 'UNAUTHENTICATED') return this.changed('signed out');
      if (code === 'CURSOR_EXPIRED') {
        await this.commit({ cursor: null }).catch(() => {}); // On failure the client is `broken` and stops.
        continue;
      }
      this.changed('offline');
      pause = Math.min(Math.max(2 * pause, 250), 30_000);
      await this.sleep(Math.max(pause * (0.5 + Math.random() / 2), retryAfterMs));
    }
    if (this.status !== 'broken') this.changed('offline');
  }

  private async sleep(milliseconds: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((done) => {
      this.wakeUp = done;
      timer = setTimeout(done, milliseconds);
    });
    clearTimeout(timer);
  }

  /** Runs the subscription and the outbox until one of them fails, and then stops both. */
  private async stayLive(stop: AbortSignal): Promise<void> {
    const failing = new AbortController();
    const until = AbortSignal.any([stop, failing.signal]);
    const receive = (change: Change) => this.receive([change], change.cursor);
    const both = [this.remote.subscribe(this.state.cursor!, receive, until), this.sendAll(until)];
    const fail = (error: unknown) => {
      failing.abort(error);
      this.wake();
    };
    await Promise.all(both.map((one) => one.catch(fail)));
    throw failing.signal.reason;
  }

  // ---- Receiving.

  private async catchUp(stop: AbortSignal): Promise<void> {
    if (this.state.cursor === null) await this.readAll(stop);
    for (let more = true; more; ) {
      const query = `query($first: Int, $after: String) { changes(first: $first, after: $after) {
        nodes { cursor action itemId version item { ...Item } } pageInfo { hasNextPage endCursor }
      } } ${ITEM}`;
      const { changes } = await this.remote.page<{ changes: Page<Change> }>(query, this.state.cursor, stop);
      await this.receive(changes.nodes, changes.pageInfo.endCursor);
      more = changes.pageInfo.hasNextPage;
    }
  }

  /** Reads the cursor before the lists, so that the feed returns every change that happens while the lists are read. */
  private async readAll(stop: AbortSignal): Promise<void> {
    const { changesCursor } = await this.remote.call<{ changesCursor: string }>('{ changesCursor }', {}, stop);
    const put: Item[] = [];
    for (const list of ['tags', 'courses', 'documents', 'tasks']) {
      const query = `query($first: Int, $after: String) {
        list: ${list}(first: $first, after: $after, filter: { status: null }, orderBy: { field: CREATED_AT, direction: ASC }) {
          nodes { ...Item } pageInfo { hasNextPage endCursor }
        }
      } ${ITEM}`;
      for (let after: string | null = null, more = true; more; ) {
        const page: { list: Page<ItemPayload> } = await this.remote.page(query, after, stop);
        put.push(...page.list.nodes.map(itemOf));
        after = page.list.pageInfo.endCursor;
        more = page.list.pageInfo.hasNextPage;
      }
    }
    await this.commit({ replaceAll: true, put, cursor: changesCursor });
  }

  /** Stores changes and their cursor in one batch, so that a crash loses nothing and may only repeat the last changes. */
  private async receive(changes: Change[], cursor: string | null): Promise<void> {
    const put = new Map<string, Item>();
    const remove = new Set<string>();
    for (const { itemId, item } of changes) {
      if (item) put.set(itemId, itemOf(item));
      else remove.add(itemId);
    }
    const outbox = this.state.outbox.filter((entry) => !changes.some((change) => hasSucceeded(entry, change)));
    await this.commit({ put: [...put.values()], remove: [...remove], outbox, cursor });
    // The items of a restored tag have it again, and their versions stay the same. This is rare, so the client reads everything again.
    const isRestoredTag = ({ action, item }: Change) => action === 'RESTORED' && item?.__typename === 'Tag';
    if (changes.some(isRestoredTag)) throw new RequestFailed('CURSOR_EXPIRED', 'A tag was restored.');
  }

  // ---- Sending.

  private async sendAll(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const next = this.state.outbox[0];
      if (next) await this.send(next, stop);
      else await new Promise<void>((done) => (this.wakeUp = done));
    }
  }

  private async send(entry: Entry, stop: AbortSignal): Promise<void> {
    const here = this.state.items.get(entry.id);
    // `sent` is stored before the request, because the program may end before the response arrives.
    if (entry.sent === undefined) await this.enqueue({ ...entry, sent: here?.version ?? 0 });
    const fields = entry.kind === 'update' && here ? await this.resolve(entry, here) : undefined;
    if (fields === 'outbox changed') return;
    try {
      const response = await this.remote.call<{ result: Payload }>(...mutation(entry, fields, here), stop);
      await this.handleResponse(entry, response.result, stop);
    } catch (error) {
      if (!(error instanceof RequestFailed && PERMANENT_ERRORS.includes(error.code))) throw error;
      await this.reject(entry, [{ code: error.code, field: null, message: error.message }]);
    }
  }

  /** The fields of an update that must be sent, or 'outbox changed' if none are left or a conflict was resolved. */
  private async resolve(entry: Update, item: Item): Promise<Values | 'outbox changed'> {
    const { fields, conflicts } = remainingChanges(entry, item);
    if (conflicts.length === 0) {
      if (Object.keys(fields).length > 0) return fields;
      await this.commit({ outbox: this.outboxWithout(entry) });
      return 'outbox changed';
    }
    const { sent: _, ...resolved } = { ...entry, fields: { ...entry.fields }, base: { ...entry.base } };
    for (const conflict of conflicts) {
      resolved.fields[conflict.field] = this.options.onConflict(conflict);
      resolved.base[conflict.field] = conflict.theirs;
    }
    await this.enqueue(resolved);
    return 'outbox changed';
  }

  private async handleResponse(entry: Entry, response: Payload, stop: AbortSignal): Promise<void> {
    const { item, items, deletedIds, userErrors } = response;
    const put = [...(items ?? []), ...(item ? [item] : [])].map(itemOf);
    // TAKEN is also the error of a tag's name.
    const codes = userErrors.map(({ code, field }) => (code === 'TAKEN' && field?.at(-1) !== 'id' ? 'NAME_TAKEN' : code));
    if (codes.length === 0) {
      await this.commit({ put, remove: deletedIds ?? [], outbox: this.outboxWithout(entry) });
    } else if (codes.includes('CONFLICT')) {
      // The response has the current item, and the next attempt compares with it. This attempt changed nothing, so the entry
      // counts as not sent, unless an earlier response was lost.
      await this.commit({ put });
      if (entry.sent === undefined) await this.enqueue(entry);
    } else {
      const query = `query($id: ID!) { nodes(ids: [$id]) { ...Item } } ${ITEM}`;
      const { nodes } = await this.remote.call<{ nodes: (ItemPayload | null)[] }>(query, { id: entry.id }, stop);
      const current = nodes[0] ? itemOf(nodes[0]) : undefined;
      await this.commit(current ? { put: [current] } : { remove: [entry.id] });
      if (isAchieved(entry, current, codes)) await this.commit({ outbox: this.outboxWithout(entry) });
      else await this.reject(entry, userErrors);
    }
  }

  /** Removes a rejected entry. A rejected create removes all entries of its item; later updates are rebased on a rejected update. */
  private async reject(entry: Entry, errors: UserError[]): Promise<void> {
    const { outbox } = this.state;
    const rejected = outbox.filter(({ key, id }) => key === entry.key || (entry.kind === 'create' && id === entry.id));
    const rest = outbox.filter((one) => !rejected.includes(one));
    await this.commit({ outbox: entry.kind === 'update' ? rest.map((one) => rebase(one, entry)) : rest });
    for (const one of rejected) this.options.onRejected(one, errors);
  }
}

interface Page<T> {
  nodes: T[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

interface Payload {
  item?: ItemPayload | null;
  items?: ItemPayload[] | null;
  deletedIds?: string[] | null;
  userErrors: UserError[];
}

/** The mutation for an entry, and its variables. */
function mutation(entry: Entry, fields: Values | undefined, here: Item | undefined): [string, object] {
  const { kind, type, id } = entry;
  const text = (input: string, name: string, selection: string) =>
    `mutation($input: ${input}!) { result: ${name}(input: $input) { ${selection} userErrors { code field message } } }`;
  switch (kind) {
    case 'create':
    case 'update': {
      const verb = kind === 'create' ? 'Create' : 'Update';
      const query = text(`${verb}${type}Input`, kind + type, `item: ${type.toLowerCase()} { ...Item }`) + ITEM;
      const values = inputOf(fields ?? entry.fields);
      const input = kind === 'create' ? { id, ...values } : { id, version: here?.version, ...values };
      return [query, { input }];
    }
    case 'delete':
      return [text('ItemIdsInput', 'deleteItems', 'deletedIds'), { input: { ids: [id] } }];
    default:
      return [text('ItemIdsInput', `${kind}Items`, 'items { ...Item }') + ITEM, { input: { ids: [id] } }];
  }
}
