// The client: what the user does is kept and shown at once; what others do comes by the feed; what waits is sent in order.

import {
  ITEM, itemOf, newId, same,
  type Answered, type Fields, type Item, type ItemType, type Values,
} from './items.js';
import { changesLeft, isDone, isReached, overlay, rebased, type Conflict, type Entry, type Update } from './outbox.js';
import { Failed, Remote, type Change, type RemoteOptions } from './remote.js';
import { apply, type Batch, type State, type Store } from './store.js';

export interface UserError {
  code: string;
  field: string[] | null;
  message: string;
}

export interface ClientOptions extends RemoteOptions {
  store: Store;
  /**
   * What a field is to hold that was changed here and elsewhere: `mine`, `theirs`, or anything made of them. At once: to
   * leave it to the user, hold one of them, show both, and make what the user says an update like any other.
   */
  onConflict: (conflict: Conflict) => unknown;
  /** What was done here and cannot be done there. It has left the outbox; show it, or the user's work is lost unseen. */
  onRefused: (entry: Entry, errors: UserError[]) => void;
}

export type Status = 'offline' | 'catching up' | 'live' | 'signed out' | 'broken';

/** What will be refused again however often it is sent. */
const FINAL = ['BAD_REQUEST', 'PARSE_FAILED', 'VALIDATION_FAILED', 'BAD_USER_INPUT', 'QUERY_TOO_COMPLEX', 'FORBIDDEN'];

export class OfflineClient {
  status: Status = 'offline';
  private readonly remote: Remote;
  private readonly listeners = new Set<() => void>();
  private view: ReadonlyMap<string, Item> | undefined;
  /** What is known to be deleted: an answer that comes late must not bring it back. Ids are never used again. */
  private readonly gone = new Set<string>();
  private wakeUp = () => {};
  private stopping = new AbortController();
  private running: Promise<void> | undefined;

  private constructor(private readonly options: ClientOptions, private readonly state: State) {
    this.remote = new Remote(options);
  }

  static async open(options: ClientOptions): Promise<OfflineClient> {
    return new OfflineClient(options, await options.store.load());
  }

  // ---- What an app uses.

  /** All items as the user is to see them. The same map until something changes. */
  items(): ReadonlyMap<string, Item> {
    this.view ??= overlay(this.state.items, this.state.outbox);
    return this.view;
  }

  /** What the service does not know yet. */
  outbox(): readonly Entry[] {
    return this.state.outbox;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Kept, and to be seen, when it returns; `completed` is an update's. */
  async create<T extends ItemType>(type: T, fields: Omit<Fields[T], 'completed'>): Promise<string> {
    const id = newId();
    await this.write({ key: newId(), kind: 'create', type, id, fields: fields as Values });
    return id;
  }

  async update<T extends ItemType>(type: T, id: string, fields: Partial<Fields[T]>): Promise<void> {
    const item = this.items().get(id);
    if (item?.type !== type || item.status !== 'ACTIVE') throw new Error(`There is no active ${type} ${id}.`);
    const update = { key: newId(), kind: 'update', type, id, fields: {}, base: {} } as const;
    // One that waits takes this in; one that was sent does not, for it may have been done as it was.
    const last = this.state.outbox.findLast((entry) => entry.id === id);
    const open = last?.kind === 'update' && last.sent === undefined ? last : undefined;
    const base: Values = { ...open?.base };
    const all: Values = { ...open?.fields, ...fields };
    for (const field of Object.keys(fields)) if (!(field in base)) base[field] = (item.fields as Values)[field];
    for (const field of Object.keys(all)) {
      if (same(field, all[field], base[field])) [all, base].forEach((values) => delete values[field]);
    }
    await this.write({ ...(open ?? update), fields: all, base });
  }

  async trash(id: string): Promise<void> {
    await this.move('trash', id, 'ACTIVE');
  }

  async restore(id: string): Promise<void> {
    await this.move('restore', id, 'TRASH');
  }

  /** For good; only what is in the trash. */
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

  /** Try again now: there is a network again, say (`addEventListener('online', () => client.wake())`). */
  wake(): void {
    this.wakeUp();
  }

  // ---- What is kept.

  private async move(kind: 'trash' | 'restore' | 'delete', id: string, from: Item['status']): Promise<void> {
    const item = this.items().get(id);
    if (!item) throw new Error(`There is no item ${id}.`);
    if (item.status === from) await this.write({ key: newId(), kind, type: item.type, id });
  }

  /** Into the outbox, or in the place of what has its key there. An update of nothing leaves it. */
  private async write(entry: Entry): Promise<void> {
    const { outbox } = this.state;
    const there = outbox.some(({ key }) => key === entry.key);
    const empty = entry.kind === 'update' && Object.keys(entry.fields).length === 0;
    if (empty) await this.commit({ outbox: this.without(entry) });
    else await this.commit({ outbox: there ? outbox.map((one) => (one.key === entry.key ? entry : one)) : [...outbox, entry] });
    if (this.status === 'live') this.wake();
  }

  private without(entry: Entry): Entry[] {
    return this.state.outbox.filter(({ key }) => key !== entry.key);
  }

  /** Here and in the store. Only what is newer than what is here is taken, so that all may come twice, and late. */
  private async commit(batch: Batch): Promise<void> {
    if (this.status === 'broken') throw new Error('The store is behind what was done: open it again.');
    const { items } = this.state;
    if (batch.fresh) this.gone.clear();
    for (const id of batch.remove ?? []) this.gone.add(id);
    const isNews = (item: Item) => !this.gone.has(item.id) && item.version > (items.get(item.id)?.version ?? 0);
    const put = batch.fresh ? batch.put : batch.put?.filter(isNews);
    batch = { ...batch, ...(put && { put }) };
    apply(this.state, batch);
    this.view = undefined;
    this.changed();
    try {
      await this.options.store.commit(batch);
    } catch (error) {
      // What is here is ahead of what is stored: nothing more may be stored behind the gap.
      this.stopping.abort();
      this.changed('broken');
      throw error;
    }
  }

  private changed(status = this.status): void {
    this.status = status;
    for (const listener of this.listeners) listener();
  }

  // ---- What goes on while there is a network, and comes back when there is one again.

  private async run(stop: AbortSignal): Promise<void> {
    let pause = 0;
    while (!stop.aborted) {
      let failure: unknown;
      try {
        this.changed('catching up');
        await this.catchUp(stop);
        pause = 0;
        this.changed('live');
        await this.live(stop);
      } catch (error) {
        failure = error;
      }
      if (stop.aborted) break;
      const { code = 'NETWORK', retryAfterMs = 0 } = failure instanceof Failed ? failure : {};
      if (code === 'UNAUTHENTICATED') return this.changed('signed out');
      if (code === 'CURSOR_EXPIRED') {
        await this.commit({ cursor: null }).catch(() => {}); // If that fails, the client is `broken`, and stops.
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

  /** The feed and the outbox side by side, until one of them fails; then neither goes on. */
  private async live(stop: AbortSignal): Promise<void> {
    const failing = new AbortController();
    const until = AbortSignal.any([stop, failing.signal]);
    const hear = (change: Change) => this.hear([change], change.cursor);
    const both = [this.remote.listen(this.state.cursor!, hear, until), this.sendAll(until)];
    const fail = (error: unknown) => {
      failing.abort(error);
      this.wake();
    };
    await Promise.all(both.map((one) => one.catch(fail)));
    throw failing.signal.reason;
  }

  // ---- What comes in.

  private async catchUp(stop: AbortSignal): Promise<void> {
    if (this.state.cursor === null) await this.readAfresh(stop);
    for (let more = true; more; ) {
      const query = `query($after: String) { changes(first: 100, after: $after) {
        nodes { cursor action itemId version item { ...Item } } pageInfo { hasNextPage endCursor }
      } } ${ITEM}`;
      const { changes } = await this.remote.call<{ changes: Page<Change> }>(query, { after: this.state.cursor }, stop);
      await this.hear(changes.nodes, changes.pageInfo.endCursor);
      more = changes.pageInfo.hasNextPage;
    }
  }

  /** The cursor first, then the lists: what changes while they are read comes by the feed; the other way round it is lost. */
  private async readAfresh(stop: AbortSignal): Promise<void> {
    const { changesCursor } = await this.remote.call<{ changesCursor: string }>('{ changesCursor }', {}, stop);
    const put: Item[] = [];
    for (const list of ['courses', 'documents', 'tasks']) {
      const query = `query($after: String) {
        list: ${list}(first: 100, after: $after, filter: { status: null }, orderBy: { field: CREATED_AT, direction: ASC }) {
          nodes { ...Item } pageInfo { hasNextPage endCursor }
        }
      } ${ITEM}`;
      for (let after: string | null = null, more = true; more; ) {
        const page: { list: Page<Answered> } = await this.remote.call(query, { after }, stop);
        put.push(...page.list.nodes.map(itemOf));
        after = page.list.pageInfo.endCursor;
        more = page.list.pageInfo.hasNextPage;
      }
    }
    await this.commit({ fresh: true, put, cursor: changesCursor });
  }

  /** What changed, and how far that is, in one batch: after a crash nothing is missing, and little comes again. */
  private async hear(changes: Change[], cursor: string | null): Promise<void> {
    const put = new Map<string, Item>();
    const remove = new Set<string>();
    for (const { itemId, item } of changes) {
      if (item) put.set(itemId, itemOf(item));
      else remove.add(itemId);
    }
    const outbox = this.state.outbox.filter((entry) => !changes.some((change) => isDone(entry, change)));
    await this.commit({ put: [...put.values()], remove: [...remove], outbox, cursor });
  }

  // ---- What goes out.

  private async sendAll(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const next = this.state.outbox[0];
      if (next) await this.send(next, stop);
      else await new Promise<void>((done) => (this.wakeUp = done));
    }
  }

  private async send(entry: Entry, stop: AbortSignal): Promise<void> {
    const here = this.state.items.get(entry.id);
    // Stored before it goes out, since afterwards nobody may live to tell.
    if (entry.sent === undefined) await this.write({ ...entry, sent: here?.version ?? 0 });
    const settled = entry.kind === 'update' && here ? await this.settle(entry, here) : undefined;
    if (settled === 'again') return;
    try {
      const answer = await this.remote.call<{ done: Payload }>(...mutation(entry, settled, here), stop);
      await this.take(entry, answer.done, stop);
    } catch (error) {
      if (!(error instanceof Failed && FINAL.includes(error.code))) throw error;
      await this.refuse(entry, [{ code: error.code, field: null, message: error.message }]);
    }
  }

  /** What of an update is to be sent. 'again': nothing, or somebody had to decide; the outbox has changed. */
  private async settle(entry: Update, item: Item): Promise<Values | 'again'> {
    const { fields, conflicts } = changesLeft(entry, item);
    if (conflicts.length === 0) {
      if (Object.keys(fields).length > 0) return fields;
      await this.commit({ outbox: this.without(entry) });
      return 'again';
    }
    const { sent: _, ...decided } = { ...entry, fields: { ...entry.fields }, base: { ...entry.base } };
    for (const conflict of conflicts) {
      decided.fields[conflict.field] = this.options.onConflict(conflict);
      decided.base[conflict.field] = conflict.theirs;
    }
    await this.write(decided);
    return 'again';
  }

  private async take(entry: Entry, answer: Payload, stop: AbortSignal): Promise<void> {
    const { item, items, deletedIds, userErrors } = answer;
    const put = [...(items ?? []), ...(item ? [item] : [])].map(itemOf);
    const codes = userErrors.map(({ code }) => code);
    if (codes.length === 0) {
      await this.commit({ put, remove: deletedIds ?? [], outbox: this.without(entry) });
    } else if (codes.includes('CONFLICT')) {
      // It came back as it is now: what is left to be done is judged by that. This time nothing was done, so unless
      // an answer was lost before, it is as if it had not been sent.
      await this.commit({ put });
      if (entry.sent === undefined) await this.write(entry);
    } else {
      const query = `query($id: ID!) { nodes(ids: [$id]) { ...Item } } ${ITEM}`;
      const { nodes } = await this.remote.call<{ nodes: (Answered | null)[] }>(query, { id: entry.id }, stop);
      const now = nodes[0] ? itemOf(nodes[0]) : undefined;
      await this.commit(now ? { put: [now] } : { remove: [entry.id] });
      if (isReached(entry, now, codes)) await this.commit({ outbox: this.without(entry) });
      else await this.refuse(entry, userErrors);
    }
  }

  /** Without its creation nothing else can be done to an item; without an update what follows stands on what was before. */
  private async refuse(entry: Entry, errors: UserError[]): Promise<void> {
    const { outbox } = this.state;
    const lost = outbox.filter(({ key, id }) => key === entry.key || (entry.kind === 'create' && id === entry.id));
    const rest = outbox.filter((one) => !lost.includes(one));
    await this.commit({ outbox: entry.kind === 'update' ? rest.map((one) => rebased(one, entry)) : rest });
    for (const one of lost) this.options.onRefused(one, errors);
  }
}

interface Page<T> {
  nodes: T[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

interface Payload {
  item?: Answered | null;
  items?: Answered[] | null;
  deletedIds?: string[] | null;
  userErrors: UserError[];
}

/** The mutation that an entry stands for, and its variables. */
function mutation(entry: Entry, settled: Values | undefined, here: Item | undefined): [string, object] {
  const { kind, type, id } = entry;
  const text = (input: string, name: string, selection: string) =>
    `mutation($input: ${input}!) { done: ${name}(input: $input) { ${selection} userErrors { code field message } } }`;
  switch (kind) {
    case 'create':
    case 'update': {
      const verb = kind === 'create' ? 'Create' : 'Update';
      const query = text(`${verb}${type}Input`, kind + type, `item: ${type.toLowerCase()} { ...Item }`) + ITEM;
      const input = kind === 'create' ? { id, ...entry.fields } : { id, version: here?.version, ...(settled ?? entry.fields) };
      return [query, { input }];
    }
    case 'delete':
      return [text('ItemIdsInput', 'deleteItems', 'deletedIds'), { input: { ids: [id] } }];
    default:
      return [text('ItemIdsInput', `${kind}Items`, 'items { ...Item }') + ITEM, { input: { ids: [id] } }];
  }
}
