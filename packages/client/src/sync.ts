// The connection to the service: reads everything once, then receives changes and sends the outbox. One tab runs it.
// docs/sync.md explains the design.

import { CHANGES, CREATE, CURRENT, CURSOR, LISTS, MOVE, UPDATE } from './documents.js';
import type { AllTasksQuery, ChangesQuery, CurrentQuery, CursorQuery, ItemFragment } from './generated.js';
import { inputOf, itemOf, type Item, type Values } from './items.js';
import { hasSucceeded, isAchieved, rebase, remainingChanges, type Conflict, type Entry, type Update } from './outbox.js';
import { Remote, RequestFailed, type Change, type UserError } from './remote.js';
import type { Build, Replica } from './replica.js';
import type { Batch } from './store.js';
import type { Status } from './tabs.js';

/** What the connection needs of the client. */
export interface Events {
  onConflict: (conflict: Conflict) => unknown;
  onStatus: (status: Status) => void;
}

/** Errors that a retry cannot fix. */
const PERMANENT_ERRORS = ['BAD_REQUEST', 'PARSE_FAILED', 'VALIDATION_FAILED', 'BAD_USER_INPUT', 'QUERY_TOO_COMPLEX', 'FORBIDDEN'];

/** The state could not be stored. */
class StoreFailed extends Error {}

export class Sync {
  private readonly remote: Remote;
  private readonly replica: Replica;
  private readonly events: Events;
  private isLive = false;
  private wakeUp = () => {};

  constructor(remote: Remote, replica: Replica, events: Events) {
    this.remote = remote;
    this.replica = replica;
    this.events = events;
  }

  /** Ends a pause before a retry, or sends new entries of the outbox. */
  wake(): void {
    this.wakeUp();
  }

  /** Sends new entries of the outbox, but does not end a pause. */
  send(): void {
    if (this.isLive) this.wakeUp();
  }

  async run(stop: AbortSignal): Promise<void> {
    let pause = 0;
    while (!stop.aborted) {
      let failure: unknown;
      let liveSince = Number.POSITIVE_INFINITY;
      try {
        this.status('catching up');
        await this.catchUp(stop);
        this.status('live');
        liveSince = Date.now();
        await this.stayLive(stop);
      } catch (error) {
        failure = error;
      }
      if (failure instanceof StoreFailed) return this.status('broken');
      if (stop.aborted) break;
      const { code = 'NETWORK', retryAfterMs = 0 } = failure instanceof RequestFailed ? failure : {};
      if (code === 'UNAUTHENTICATED') return this.status('signed out');
      if (code === 'CURSOR_EXPIRED') {
        const isStored = await this.commit({ cursor: '' }).then(
          () => true,
          () => false,
        );
        if (isStored) continue;
        return this.status('broken');
      }
      this.status('offline');
      if (Date.now() - liveSince > 10_000) pause = 0;
      pause = Math.min(Math.max(2 * pause, 250), 30_000);
      await this.sleep(Math.max(pause * (0.5 + Math.random() / 2), retryAfterMs), stop);
    }
    this.status('offline');
  }

  private status(status: Status): void {
    this.isLive = status === 'live';
    this.events.onStatus(status);
  }

  private async commit(batch: Batch | Build): Promise<void> {
    try {
      await this.replica.commit(typeof batch === 'function' ? batch : () => batch);
    } catch (error) {
      throw new StoreFailed('The state could not be stored.', { cause: error });
    }
  }

  private async sleep(milliseconds: number, stop: AbortSignal): Promise<void> {
    if (stop.aborted) return;
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
    const both = [this.remote.subscribe(this.replica.state.cursor!, receive, until), this.sendAll(until)];
    const fail = (error: unknown) => {
      failing.abort(error);
      this.wake();
    };
    await Promise.all(both.map((one) => one.catch(fail)));
    throw failing.signal.reason;
  }

  // ---- Receiving.

  private async catchUp(stop: AbortSignal): Promise<void> {
    if (!this.replica.state.cursor) await this.readAll(stop);
    for (let more = true; more; ) {
      const { changes } = await this.remote.page<ChangesQuery>(CHANGES, this.replica.state.cursor, stop);
      await this.receive(changes.nodes, changes.pageInfo.endCursor);
      more = changes.pageInfo.hasNextPage;
    }
  }

  /** Reads the cursor before the lists, so that the feed returns every change that happens while the lists are read. */
  private async readAll(stop: AbortSignal): Promise<void> {
    const { changesCursor } = await this.remote.call<CursorQuery>(CURSOR, {}, stop);
    const put: Item[] = [];
    for (const query of LISTS) {
      for (let after: string | null = null, more = true; more; ) {
        // All lists have the same shape.
        const page: { list: { nodes: readonly ItemFragment[]; pageInfo: AllTasksQuery['list']['pageInfo'] } } =
          await this.remote.page(query, after, stop);
        put.push(...page.list.nodes.map(itemOf));
        after = page.list.pageInfo.endCursor;
        more = page.list.pageInfo.hasNextPage;
      }
    }
    await this.commit({ replaceAll: true, put, cursor: changesCursor });
  }

  /** Stores changes and their cursor in one batch, so that a crash loses nothing and may only repeat the last changes. */
  private async receive(changes: readonly Change[], cursor: string | null): Promise<void> {
    const put = new Map<string, Item>();
    const remove = new Set<string>();
    for (const { itemId, item } of changes) {
      if (item) put.set(itemId, itemOf(item));
      else remove.add(itemId);
    }
    const { outbox } = this.replica.state;
    const dequeue = outbox.filter((entry) => changes.some((change) => hasSucceeded(entry, change))).map(({ key }) => key);
    await this.commit({ put: [...put.values()], remove: [...remove], dequeue, cursor });
    // The items of a restored tag have it again, and their versions stay the same. This is rare, so the client reads everything again.
    const isRestoredTag = ({ action, item }: Change) => action === 'RESTORED' && item?.__typename === 'Tag';
    if (changes.some(isRestoredTag)) throw new RequestFailed('CURSOR_EXPIRED', 'A tag was restored.');
  }

  // ---- Sending.

  private async sendAll(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const next = this.replica.state.outbox[0];
      if (next) await this.sendEntry(next, stop);
      else await new Promise<void>((done) => (this.wakeUp = done));
    }
  }

  private async sendEntry(queued: Entry, stop: AbortSignal): Promise<void> {
    const here = this.replica.state.items.get(queued.id);
    const entry = queued.sent === undefined ? await this.markSent(queued, here) : queued;
    if (!entry) return;
    const fields = entry.kind === 'update' && here ? await this.resolve(entry, here) : undefined;
    if (fields === 'outbox changed') return;
    try {
      const { result } = await this.remote.call<{ result: Payload }>(...mutation(entry, fields, here), stop);
      await this.handleResponse(entry, result, stop);
    } catch (error) {
      if (!(error instanceof RequestFailed && PERMANENT_ERRORS.includes(error.code))) throw error;
      await this.reject(entry, [{ code: error.code, field: null, message: error.message }]);
    }
  }

  /**
   * Stores that an entry is sent, before the request, because the program may end before the response arrives. Returns the entry as
   * it is stored, with what other tabs have added to it, and without that mark.
   */
  private async markSent({ key }: Entry, here: Item | undefined): Promise<Entry | undefined> {
    let entry: Entry | undefined;
    await this.commit((outbox) => {
      entry = outbox.find((one) => one.key === key);
      return entry ? { enqueue: [{ ...entry, sent: here?.version ?? 0 }] } : {};
    });
    return entry;
  }

  /** The fields of an update that must be sent, or 'outbox changed' if none are left or a conflict was resolved. */
  private async resolve(entry: Update, item: Item): Promise<Values | 'outbox changed'> {
    const { fields, conflicts } = remainingChanges(entry, item);
    if (conflicts.length === 0 && Object.keys(fields).length > 0) return fields;
    const { sent: _, ...unsent } = entry;
    const resolved = { fields: { ...entry.fields }, base: { ...entry.base } };
    for (const conflict of conflicts) {
      const { field } = conflict;
      try {
        resolved.fields[field] = this.decide(conflict);
      } catch (error) {
        await this.reject(entry, [{ code: 'CONFLICT', field: [field], message: `onConflict failed: ${error}` }]);
        return 'outbox changed';
      }
      resolved.base[field] = conflict.theirs;
    }
    await this.commit(conflicts.length === 0 ? { dequeue: [entry.key] } : { enqueue: [{ ...unsent, ...resolved }] });
    return 'outbox changed';
  }

  /** Only the app can correct its function, so the user's change is kept as a rejection, and other changes are sent. */
  private decide(conflict: Conflict): unknown {
    const value = this.events.onConflict(conflict);
    if (value === undefined || value instanceof Promise) throw new TypeError('It must return a value, and not a promise or undefined.');
    return value;
  }

  private async handleResponse(entry: Entry, response: Payload, stop: AbortSignal): Promise<void> {
    const { item, items, deletedIds, userErrors } = response;
    const put = [...(items ?? []), ...(item ? [item] : [])].map(itemOf);
    // TAKEN is also the error of a tag's name.
    const codes = userErrors.map(({ code, field }) => (code === 'TAKEN' && field?.at(-1) !== 'id' ? 'NAME_TAKEN' : code));
    const dequeue = [entry.key];
    if (codes.length === 0) {
      await this.commit({ put, remove: deletedIds ?? [], dequeue });
    } else if (codes.includes('CONFLICT')) {
      // The response has the current item, and the next attempt compares with it. This attempt changed nothing, so the entry
      // counts as not sent, unless an earlier response was lost.
      await this.commit({ put, ...(entry.sent === undefined && { enqueue: [entry] }) });
    } else {
      const { nodes } = await this.remote.call<CurrentQuery>(CURRENT, { ids: [entry.id] }, stop);
      const node = nodes[0] as ItemFragment | null | undefined;
      const current = node ? itemOf(node) : undefined;
      const batch = current ? { put: [current] } : { remove: [entry.id] };
      if (isAchieved(entry, current, codes)) await this.commit({ ...batch, dequeue });
      else {
        await this.commit(batch);
        await this.reject(entry, userErrors);
      }
    }
  }

  /** Removes a rejected entry. A rejected create removes all entries of its item; later updates are rebased on a rejected update. */
  private async reject(entry: Entry, errors: readonly UserError[]): Promise<void> {
    await this.commit((outbox) => {
      const rejected = outbox.filter(({ key, id }) => key === entry.key || (entry.kind === 'create' && id === entry.id));
      const rest = outbox.filter((one) => !rejected.includes(one));
      const dequeue = rejected.map(({ key }) => key);
      const enqueue = entry.kind === 'update' ? rest.map((one) => rebase(one, entry)) : [];
      return { dequeue, enqueue, rejected: rejected.map((one) => ({ entry: one, errors })) };
    });
  }
}

interface Payload {
  item?: ItemFragment | null;
  items?: readonly ItemFragment[] | null;
  deletedIds?: readonly string[] | null;
  userErrors: readonly UserError[];
}

/** The mutation for an entry, and its variables. */
function mutation(entry: Entry, fields: Values | undefined, here: Item | undefined): [string, object] {
  const { type, id } = entry;
  switch (entry.kind) {
    case 'create':
      return [CREATE[type], { input: { id, ...inputOf(entry.fields) } }];
    case 'update':
      return [UPDATE[type], { input: { id, version: here?.version, ...inputOf(fields ?? entry.fields) } }];
    default:
      return [MOVE[entry.kind], { input: { ids: [id] } }];
  }
}
