// The local state: what the store contains, what the user sees, and the listeners to changes. It does not use the network.

import { untagged, type Item } from './items.js';
import { overlay, type Entry } from './outbox.js';
import { apply, emptyState, type Batch, type Commit, type Rejection, type State, type Store } from './store.js';

/** How long to wait for the message about another tab's batch before everything is read again. */
const GAP_MS = 200;

/** Makes a batch from the newest stored outbox. */
export type Build = (outbox: readonly Entry[]) => Batch;

/**
 * A copy of the store's state in memory. All tabs apply the same batches in the order of their revisions, their own and those of
 * other tabs. A missing batch means that a message was lost, and the state is read again.
 */
export class Replica {
  private readonly store: Store;
  private readonly onCommit: (commit: Commit) => void;
  private readonly onRejected: (rejection: Rejection) => void;
  private current: State = emptyState();
  private view: ReadonlyMap<string, Item> | undefined;
  private readonly listeners = new Set<() => void>();
  /** Entries of this tab that are being stored. They are visible at once. */
  private unstored: readonly Entry[] = [];
  /** Batches that arrived before those of earlier revisions. */
  private readonly early = new Map<number, Batch>();
  /** Called when the state reaches a new revision. */
  private reached = () => {};
  /** Ids of deleted items. A late response must not restore them; the service never reuses an id. */
  private readonly deletedIds = new Set<string>();
  /** The last task of this tab. Each batch is made from the state that the previous one left. */
  private last: Promise<unknown> = Promise.resolve();

  /** Call `reload` before anything else. */
  constructor(store: Store, onCommit: (commit: Commit) => void, onRejected: (rejection: Rejection) => void) {
    this.store = store;
    this.onCommit = onCommit;
    this.onRejected = onRejected;
  }

  get state(): Readonly<State> {
    return this.current;
  }

  items(): ReadonlyMap<string, Item> {
    this.view ??= overlay(this.current.items, this.outbox());
    return this.view;
  }

  outbox(): readonly Entry[] {
    return this.unstored.length ? [...this.current.outbox, ...this.unstored] : this.current.outbox;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls the listeners. */
  notify(): void {
    for (const listener of this.listeners) {
      // An error of the app must not look like one of the store.
      try {
        listener();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Stores a change of the user. It is visible at once, and no longer if it cannot be stored. */
  async add(entry: Entry, build: Build): Promise<void> {
    const show = (unstored: readonly Entry[]) => {
      this.unstored = unstored;
      this.view = undefined;
    };
    show([...this.unstored, entry]);
    this.notify();
    const settle = () => show(this.unstored.filter((one) => one !== entry));
    try {
      await this.serially(() => this.store.commit(build), settle);
    } finally {
      if (this.unstored.includes(entry)) {
        settle();
        this.notify();
      }
    }
  }

  /** Stores what the service returned. Only newer items are accepted, so data may arrive late or twice. */
  async commit(build: Build): Promise<void> {
    await this.serially(() => this.store.commit((outbox) => this.accepted(build(outbox))));
  }

  /** A batch that this tab or another one has stored. */
  receive({ batch, revision }: Commit): void {
    if (revision <= this.current.revision) return;
    this.early.set(revision, batch);
    this.advance();
    if (this.current.revision < revision) this.expect(revision).catch(() => {});
  }

  /** Waits for the batches up to a revision. Reads the state again if they do not arrive. */
  async expect(revision: number): Promise<void> {
    const deadline = Date.now() + GAP_MS;
    while (this.current.revision < revision) {
      const left = deadline - Date.now();
      if (left <= 0) return this.reload();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const before = this.reached;
      await new Promise<void>((done) => {
        timer = setTimeout(done, left);
        this.reached = () => {
          before();
          done();
        };
      });
      clearTimeout(timer);
    }
  }

  /** Resolves when all writes so far have ended. */
  settled(): Promise<unknown> {
    return this.last;
  }

  /** Reads the state from the store. */
  async reload(): Promise<void> {
    const state = await this.store.load();
    const known = new Set(this.current.rejected.map(({ entry }) => entry.key));
    if (state.revision >= this.current.revision) this.current = state;
    this.view = undefined;
    for (const rejection of this.current.rejected) if (!known.has(rejection.entry.key)) this.onRejected(rejection);
    this.advance();
    this.notify();
  }

  private async serially(task: () => Promise<Commit>, settle = () => {}): Promise<void> {
    const run = this.last.then(async () => {
      const commit = await task();
      this.onCommit(commit);
      // The change must not disappear in between, not even for a moment. If it is visible twice, this has no effect.
      if (commit.revision === this.current.revision + 1) settle();
      this.receive(commit);
      await this.expect(commit.revision);
    });
    this.last = run.catch(() => {});
    return run;
  }

  /** Applies the batches that have no gap before them. */
  private advance(): void {
    const before = this.current.revision;
    for (let batch; (batch = this.early.get(this.current.revision + 1)); ) {
      this.current = apply(this.current, batch);
      if (batch.replaceAll) this.deletedIds.clear();
      for (const id of batch.remove ?? []) this.deletedIds.add(id);
      this.view = undefined;
      batch.rejected?.forEach(this.onRejected);
    }
    for (const revision of this.early.keys()) if (revision <= this.current.revision) this.early.delete(revision);
    if (this.current.revision === before) return;
    this.notify();
    const reached = this.reached;
    this.reached = () => {};
    reached();
  }

  /** The batch without items that are older than the local ones or deleted. */
  private accepted(batch: Batch): Batch {
    if (batch.replaceAll) return batch;
    const { items } = this.current;
    const removed = new Set(batch.remove);
    const isKnownDeleted = (id: string) => this.deletedIds.has(id) || removed.has(id);
    const isNewer = (item: Item) => !isKnownDeleted(item.id) && item.version > (items.get(item.id)?.version ?? 0);
    const trashed = (batch.put ?? []).filter(({ type, status }) => type === 'Tag' && status === 'TRASH').map(({ id }) => id);
    return this.withoutTags({ ...batch, put: (batch.put ?? []).filter(isNewer) }, [...trashed, ...removed]);
  }

  /** The batch, with the change that items no longer have these tags. Their versions stay the same. */
  private withoutTags(batch: Batch, tags: string[]): Batch {
    if (tags.length === 0) return batch;
    const put = new Map((batch.put ?? []).map((item) => [item.id, item]));
    const items = new Map([...this.current.items, ...put]);
    for (const tag of tags) {
      for (const item of untagged(items.values(), tag)) [items, put].forEach((map) => map.set(item.id, item));
    }
    return { ...batch, put: [...put.values()] };
  }
}
