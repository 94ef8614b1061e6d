// Item types, the GraphQL fragment that reads items, and ids.

export interface Fields {
  Course: { name: string; description?: string | null; color?: string | null; icon?: string | null };
  Document: {
    courseId: string;
    title: string;
    originalText: string;
    formattedNote: string;
    metadata?: Record<string, unknown>;
    /** The active tags, sorted by id. */
    tagIds?: readonly string[];
  };
  Task: {
    title: string;
    courseId?: string | null;
    description?: string | null;
    completed?: boolean;
    priority?: 'LOW' | 'NORMAL' | 'HIGH';
    /** `dueOn` (YYYY-MM-DD) or `dueAt` of the API. They exclude each other, so they are one field, which has one conflict. */
    due?: string | null;
    position?: string | null;
    /** The active tags, sorted by id. */
    tagIds?: readonly string[];
  };
  Tag: { name: string; color?: string | null };
}

export type ItemType = keyof Fields;

/** An item of one type. */
export interface ItemOf<T extends ItemType> {
  readonly type: T;
  readonly id: string;
  /** 0 until the service has created the item. */
  readonly version: number;
  readonly status: 'ACTIVE' | 'TRASH';
  /** The course with which it was trashed. */
  readonly trashedWith: string | null;
  readonly fields: Readonly<Required<Fields[T]>>;
}

export type Item = { [T in ItemType]: ItemOf<T> }[ItemType];

/** Field values by name, for items of any type. */
export type Values = Record<string, unknown>;

/** The default values of optional fields. */
const DEFAULTS: Record<ItemType, Values> = {
  Course: { description: null, color: null, icon: null },
  Document: { metadata: {}, tagIds: [] },
  Task: { courseId: null, description: null, completed: false, priority: 'NORMAL', due: null, position: null, tagIds: [] },
  Tag: { color: null },
};

export function newItem(type: ItemType, id: string, fields: Values): Item {
  const item = { type, id, version: 0, status: 'ACTIVE', trashedWith: null, fields: { ...DEFAULTS[type], ...fields } };
  return item as unknown as Item;
}

export function withFields(item: Item, fields: Values): Item {
  return { ...item, fields: { ...item.fields, ...fields } } as Item;
}

/** The selection for every read of an item, so that all responses have the same fields. */
export const ITEM = `
  fragment Item on Item {
    __typename id version status
    ... on Course { name description color icon }
    ... on CourseItem { title courseId trashedWith { id } tags { id } }
    ... on Document { originalText formattedNote metadata }
    ... on Task { description completed priority dueAt dueOn position }
    ... on Tag { name color }
  }`;

/** An item in a response. */
export interface ItemPayload extends Values {
  __typename: ItemType;
  id: string;
  version: number;
  status: Item['status'];
}

export function itemOf(payload: ItemPayload): Item {
  const { __typename: type, id, version, status, trashedWith, tags, dueAt, dueOn, ...fields } = payload;
  if (tags) fields['tagIds'] = (tags as { id: string }[]).map((tag) => tag.id).sort();
  if (type === 'Task') fields['due'] = dueAt ?? dueOn;
  const course = trashedWith as { id: string } | null | undefined;
  return { type, id, version, status, trashedWith: course?.id ?? null, fields } as unknown as Item;
}

/** Fields as an input. */
export function inputOf({ due, ...fields }: Values): Values {
  if (due === undefined) return fields;
  if (due === null) return { ...fields, dueAt: null, dueOn: null };
  return { ...fields, [isTime(due) ? 'dueAt' : 'dueOn']: due };
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

/** Whether two values of a field are equal. The service normalizes times and JSON, so their text may differ. Tags have no order. */
export function same(field: string, one: unknown, other: unknown): boolean {
  if (field === 'due' && isTime(one) && isTime(other)) return Date.parse(one) === Date.parse(other);
  if (field === 'tagIds' && one && other) return canonical([...(one as string[])].sort()) === canonical([...(other as string[])].sort());
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
