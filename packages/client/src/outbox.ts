// The outbox: changes that the service has not confirmed yet, in the order in which they are sent. No network and no store.

import { newItem, same, untagged, withFields, type Item, type ItemType, type Values } from './items.js';
import type { Batch } from './store.js';

interface EntryBase {
  /** Identifies the entry. */
  readonly key: string;
  /** The item's id. */
  readonly id: string;
  readonly type: ItemType;
  /** The item's local version when this entry was sent. If set, the entry may have succeeded without a response. */
  readonly sent?: number;
}

/** A change of the user that the service has not confirmed yet. */
export type Entry = EntryBase &
  (
    | { readonly kind: 'create'; readonly fields: Values }
    /** `base` has the values of these fields before the user changed them. */
    | { readonly kind: 'update'; readonly fields: Values; readonly base: Values }
    | { readonly kind: 'trash' | 'restore' | 'delete' }
  );

/** An entry that changes fields of an item. */
export type Update = Extract<Entry, { kind: 'update' }>;

/**
 * The batch that adds an update to an outbox. The last entry absorbs it if that is an update of the item that was not sent. An earlier entry
 * must not: the update may need what entries after it create. An update that was sent must not change: it may have succeeded. An update
 * without changes is removed.
 */
export function absorb(outbox: readonly Entry[], update: Update): Batch {
  const last = outbox.at(-1);
  const open = last?.kind === 'update' && last.id === update.id && last.sent === undefined ? last : undefined;
  const fields: Record<string, unknown> = { ...open?.fields, ...update.fields };
  const base: Record<string, unknown> = { ...update.base, ...open?.base };
  for (const field of Object.keys(fields)) {
    if (same(field, fields[field], base[field])) [fields, base].forEach((values) => delete values[field]);
  }
  if (Object.keys(fields).length === 0) return open ? { dequeue: [open.key] } : {};
  return { enqueue: [{ ...(open ?? update), fields, base }] };
}

/** The items as the user sees them: the service's items with the outbox applied. */
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
      // A course takes its active items to the trash, restores them, and is deleted with all its items.
      if (item.type === 'Tag' && entry.kind !== 'restore') for (const other of untagged(view.values(), id)) view.set(other.id, other);
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

/** The value of a field of any type of item. */
export function valueOf(item: Item, field: string): unknown {
  return (item.fields as unknown as Values)[field];
}

function courseOf(item: Item): string | null {
  return 'courseId' in item.fields ? item.fields.courseId : null;
}

const ACTION: Partial<Record<Entry['kind'], string>> = {
  create: 'CREATED',
  trash: 'TRASHED',
  restore: 'RESTORED',
  delete: 'DELETED',
};

/**
 * Whether a change of the feed shows that an entry succeeded although its response was lost: its action happened to its item
 * after it was sent. Sending the entry again could undo a later change of another device. A deletion is always the last change.
 */
export function hasSucceeded(entry: Entry, change: { itemId: string; action: string; version: number }): boolean {
  if (entry.sent === undefined || entry.id !== change.itemId) return false;
  return change.action === ACTION[entry.kind] && (entry.kind === 'delete' || change.version > entry.sent);
}

/** Whether the goal of a rejected entry is achieved, usually because an earlier attempt succeeded and its response was lost. */
export function isAchieved(entry: Entry, item: Item | undefined, codes: readonly string[]): boolean {
  switch (entry.kind) {
    case 'create':
      // Only this client uses this id. If it is TAKEN but the item does not exist, it was created here and deleted since.
      return item !== undefined || codes.includes('TAKEN');
    case 'update':
      return item !== undefined && Object.keys(remainingChanges(entry, item).fields).length === 0;
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
  /** The item as the service has it. */
  readonly item: Item;
  readonly field: string;
  /** The value before both changes. */
  readonly base: unknown;
  /** The value that this user entered. */
  readonly mine: unknown;
  /** The value that the service has. */
  readonly theirs: unknown;
  /** A response was lost and the item changed more than once since, so `theirs` may be based on `mine`. This cannot be determined. */
  readonly mayBeApplied: boolean;
}

/** The fields of an update that still have to be changed in an item, and its conflicts. */
export function remainingChanges(update: Update, item: Item): { fields: Values; conflicts: Conflict[] } {
  const fields: Record<string, unknown> = {};
  const conflicts: Conflict[] = [];
  const mayBeApplied = update.sent !== undefined && item.version > update.sent + 1;
  for (const [field, mine] of Object.entries(update.fields)) {
    const theirs = valueOf(item, field);
    const base = update.base[field];
    if (same(field, theirs, mine)) continue; // Already applied: by this client before the response was lost, or by another.
    if (same(field, theirs, base)) fields[field] = mine;
    else conflicts.push({ item, field, base, mine, theirs, mayBeApplied });
  }
  return { fields, conflicts };
}

/** The entry without the effect of an earlier update that was rejected. */
export function rebase(entry: Entry, update: Update): Entry {
  if (entry.kind !== 'update' || entry.id !== update.id) return entry;
  const base = Object.entries(entry.base).map(([field, value]) => {
    return [field, field in update.fields && same(field, value, update.fields[field]) ? update.base[field] : value] as const;
  });
  return { ...entry, base: Object.fromEntries(base) };
}
