// What was done here and the service does not know yet: kept in order, shown at once, sent one by one.

import { newItem, same, withFields, type Item, type ItemType, type Values } from './items.js';

interface Written {
  readonly key: string;
  readonly id: string;
  readonly type: ItemType;
  /** Once this was sent, the version that the item had here then: it may be done though no answer came. */
  readonly sent?: number;
}

export type Entry = Written &
  (
    | { readonly kind: 'create'; readonly fields: Values }
    /** `base`: what stood in these fields when the user changed them. */
    | { readonly kind: 'update'; readonly fields: Values; readonly base: Values }
    | { readonly kind: 'trash' | 'restore' | 'delete' }
  );

export type Update = Extract<Entry, { kind: 'update' }>;

/** The items as the user sees them: as the service has them, with all that waits in the outbox done to them. */
export function overlay(items: ReadonlyMap<string, Item>, outbox: readonly Entry[]): Map<string, Item> {
  const view = new Map(items);
  const move = (item: Item, status: Item['status'], trashedWith: string | null) =>
    view.set(item.id, { ...item, status, trashedWith });
  for (const { id, ...entry } of outbox) {
    const item = view.get(id);
    if (entry.kind === 'create') {
      if (!item) view.set(id, newItem(entry.type, id, entry.fields));
    } else if (item && entry.kind === 'update') {
      view.set(id, withFields(item, entry.fields));
    } else if (item) {
      // A course takes along what is active in it, brings that back, and is deleted with all that it has.
      const within = item.type === 'Course' ? [...view.values()].filter((other) => courseOf(other) === id) : [];
      if (entry.kind === 'trash' && item.status === 'ACTIVE') {
        move(item, 'TRASH', null);
        for (const other of within) if (other.status === 'ACTIVE') move(other, 'TRASH', id);
      } else if (entry.kind === 'restore') {
        move(item, 'ACTIVE', null);
        for (const other of within) if (other.trashedWith === id) move(other, 'ACTIVE', null);
      } else if (entry.kind === 'delete') {
        for (const other of [item, ...within]) view.delete(other.id);
      }
    }
  }
  return view;
}

function courseOf(item: Item): string | null {
  return item.type === 'Course' ? null : item.fields.courseId;
}

const ACTION: Partial<Record<Entry['kind'], string>> = {
  create: 'CREATED',
  trash: 'TRASHED',
  restore: 'RESTORED',
  delete: 'DELETED',
};

/**
 * Whether the feed tells that an entry has been done whose answer was lost: its action has happened to its item since it
 * was sent. (Nothing happens to an item after its end.) Sending it again might undo what another device did after it.
 */
export function isDone(entry: Entry, change: { itemId: string; action: string; version: number }): boolean {
  if (entry.sent === undefined || entry.id !== change.itemId) return false;
  return change.action === ACTION[entry.kind] && (entry.kind === 'delete' || change.version > entry.sent);
}

/** Whether what an entry is to bring about is so, although the service refused it: its first sending was not lost then. */
export function isReached(entry: Entry, item: Item | undefined, codes: readonly string[]): boolean {
  switch (entry.kind) {
    case 'create':
      // Nobody else makes this id. So if it is taken, and nothing is there, it was made by us and has been deleted since.
      return item !== undefined || codes.includes('TAKEN');
    case 'update':
      return item !== undefined && Object.keys(changesLeft(entry, item).fields).length === 0;
    case 'trash':
      return item?.status !== 'ACTIVE';
    case 'restore':
      return item?.status === 'ACTIVE';
    case 'delete':
      return item === undefined;
  }
}

/** A field that was changed here and elsewhere, to different values. */
export interface Conflict {
  readonly item: Item;
  readonly field: string;
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
  /** An answer was lost, and more than one change came since: theirs may have been made knowing mine. Nobody can tell. */
  readonly mayBeDone: boolean;
}

/** What of an update is still to be done to an item, and what stands against it. */
export function changesLeft(update: Update, item: Item): { fields: Values; conflicts: Conflict[] } {
  const fields: Values = {};
  const conflicts: Conflict[] = [];
  const mayBeDone = update.sent !== undefined && item.version > update.sent + 1;
  for (const [field, mine] of Object.entries(update.fields)) {
    const theirs = (item.fields as Values)[field];
    const base = update.base[field];
    if (same(field, theirs, mine)) continue; // Done, by us before the answer was lost, or by another who wanted the same.
    if (same(field, theirs, base)) fields[field] = mine;
    else conflicts.push({ item, field, base, mine, theirs, mayBeDone });
  }
  return { fields, conflicts };
}

/** An entry as it is if an update before it never came about. */
export function rebased(entry: Entry, update: Update): Entry {
  if (entry.kind !== 'update' || entry.id !== update.id) return entry;
  const base = Object.entries(entry.base).map(([field, value]) => {
    return [field, field in update.fields && same(field, value, update.fields[field]) ? update.base[field] : value] as const;
  });
  return { ...entry, base: Object.fromEntries(base) };
}
