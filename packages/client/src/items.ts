// Items as the client stores and shows them, their conversion from and to the API, and ids.

import type { CreateTaskInput, ItemFragment, ItemStatus, TaskPriority } from './generated.js';

/** The fields of each item type. Texts that are longer than their maximum are rejected by the service with `TOO_LONG`. */
export interface Fields {
  /** A course. */
  Course: {
    /** 1–255 characters, not blank. */
    readonly name: string;
    /** Maximum 10,000 characters. */
    readonly description: string | null;
    /** `#RRGGBB`. */
    readonly color: string | null;
    /** An emoji or the name of an icon. Maximum 50 characters. */
    readonly icon: string | null;
  };
  /** A document: the recognized text of a lecture page and the Markdown note made from it. */
  Document: {
    /** The course, which must be active. */
    readonly courseId: string;
    /** 1–500 characters, not blank. */
    readonly title: string;
    /** The recognized text. May be empty. */
    readonly originalText: string;
    /** The note, in Markdown. May be empty. A request has a maximum of 1 MiB by default. */
    readonly formattedNote: string;
    /** Data of your app: maximum 64 KiB of JSON. */
    readonly metadata: Readonly<Record<string, unknown>>;
    /** The active tags (maximum 20), sorted by id. */
    readonly tagIds: readonly string[];
  };
  /** A task. */
  Task: {
    /** 1–200 characters, not blank. */
    readonly title: string;
    /** The course, which must be active. Null if the task is in no course. */
    readonly courseId: string | null;
    /** Maximum 1,000 characters. */
    readonly description: string | null;
    readonly completed: boolean;
    readonly priority: TaskPriority;
    /**
     * `dueOn` (`YYYY-MM-DD`) or `dueAt` (RFC 3339 with an offset) of the API. They exclude each other, so they are one field,
     * which has one conflict.
     */
    readonly due: string | null;
    /** The manual sort position: 1–100 printable ASCII characters. See {@link positionsOf}. */
    readonly position: string | null;
    /** The active tags (maximum 20), sorted by id. */
    readonly tagIds: readonly string[];
  };
  /** A label for documents and tasks. */
  Tag: {
    /** 1–100 characters, not blank. `TAKEN` if another active tag has it, without regard to case. */
    readonly name: string;
    /** `#RRGGBB`. */
    readonly color: string | null;
  };
}

/** The type of an item. */
export type ItemType = keyof Fields;

interface RequiredFields {
  Course: 'name';
  Document: 'courseId' | 'title' | 'originalText' | 'formattedNote';
  Task: 'title';
  Tag: 'name';
}

/** The fields of a new item. Fields with a default value are optional. */
export type NewFields<T extends ItemType> = Pick<Fields[T], RequiredFields[T] & keyof Fields[T]> & Partial<Fields[T]>;

/** An item of one type. Items are immutable: a change makes a new object. */
export interface ItemOf<T extends ItemType> {
  readonly type: T;
  /** A UUID, unique among all items of the user. It is never reused. */
  readonly id: string;
  /** The service's version of the item: 0 until the service has created it, then 1 more with each change. */
  readonly version: number;
  readonly status: ItemStatus;
  /** The course with which it was moved to the trash. */
  readonly trashedWith: string | null;
  readonly fields: Fields[T];
}

/** An item of any type. Compare `type` to narrow it. */
export type Item = { [T in ItemType]: ItemOf<T> }[ItemType];

/** Field values by name, for items of any type. */
export type Values = Readonly<Record<string, unknown>>;

/** The default values of optional fields. */
const DEFAULTS: Record<ItemType, Values> = {
  Course: { description: null, color: null, icon: null },
  Document: { metadata: {}, tagIds: [] },
  Task: { courseId: null, description: null, completed: false, priority: 'NORMAL', due: null, position: null, tagIds: [] },
  Tag: { color: null },
};

/** An item that the service has not created yet. `fields` are those of its type. */
export function newItem(type: ItemType, id: string, fields: Values): Item {
  const item = { type, id, version: 0, status: 'ACTIVE', trashedWith: null, fields: { ...DEFAULTS[type], ...fields } };
  return item as unknown as Item;
}

export function withFields(item: Item, fields: Values): Item {
  return { ...item, fields: { ...item.fields, ...fields } } as Item;
}

/** An item of a response, selected with {@link ITEM}. */
export type ItemPayload = ItemFragment;

/**
 * The item of a response. Use it with {@link ITEM} for queries of your own.
 * @example const items = (await client.request<Found>(`query { nodes(ids: []) { ...Item } } ${ITEM}`)).nodes.map(itemOf);
 */
export function itemOf(payload: ItemPayload): Item {
  const { id, version, status } = payload;
  const tagIds = 'tags' in payload ? payload.tags.map((tag) => tag.id).sort() : [];
  const trashedWith = 'trashedWith' in payload ? (payload.trashedWith?.id ?? null) : null;
  const common = { id, version, status, trashedWith };
  switch (payload.__typename) {
    case 'Course': {
      const { name, description, color, icon } = payload;
      return { type: 'Course', ...common, fields: { name, description, color, icon } };
    }
    case 'Document': {
      const { courseId, title, originalText, formattedNote, metadata } = payload;
      return { type: 'Document', ...common, fields: { courseId, title, originalText, formattedNote, metadata, tagIds } };
    }
    case 'Task': {
      const { title, courseId, description, completed, priority, dueAt, dueOn, position } = payload;
      const fields = { title, courseId, description, completed, priority, due: dueAt ?? dueOn, position, tagIds };
      return { type: 'Task', ...common, fields };
    }
    case 'Tag':
      return { type: 'Tag', ...common, fields: { name: payload.name, color: payload.color } };
  }
}

/** Fields as an input of the API. */
export function inputOf({ due, ...fields }: Values): Values {
  if (due === undefined) return fields;
  const dates: Pick<CreateTaskInput, 'dueAt' | 'dueOn'> =
    due === null ? { dueAt: null, dueOn: null } : isTime(due) ? { dueAt: due } : { dueOn: String(due) };
  return { ...fields, ...dates };
}

/** Whether a value of `due` is a time, and not a date. */
function isTime(due: unknown): due is string {
  return typeof due === 'string' && due.length > 'YYYY-MM-DD'.length;
}

/** The items with this active tag, without it. The service changes only the tag when it goes to the trash or is deleted. */
export function untagged(items: Iterable<Item>, tag: string): Item[] {
  const changed: Item[] = [];
  for (const item of items) {
    if (!('tagIds' in item.fields) || !item.fields.tagIds.includes(tag)) continue;
    changed.push(withFields(item, { tagIds: item.fields.tagIds.filter((id) => id !== tag) }));
  }
  return changed;
}

/**
 * Whether two values of a field are equal. The service normalizes times and JSON, so their text may differ. Tags have no order.
 *
 * @example same('due', '2027-01-01T09:00:00+01:00', '2027-01-01T08:00:00.000000Z') // true
 */
export function same(field: string, one: unknown, other: unknown): boolean {
  if (field === 'due' && isTime(one) && isTime(other)) return Date.parse(one) === Date.parse(other);
  if (field === 'tagIds' && Array.isArray(one) && Array.isArray(other)) return canonical([...one].sort()) === canonical([...other].sort());
  return canonical(one) === canonical(other);
}

function canonical(value: unknown): string {
  const sorted = (_: string, part: unknown) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return JSON.stringify(value ?? null, sorted);
}

/** A UUID version 7: the time in milliseconds, then random bits. Ids sort by time, like the service's own. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(Date.now()) << 16n) | BigInt((bytes[6]! << 8) | bytes[7]!));
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
