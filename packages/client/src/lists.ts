// Filters and orders of lists, as the service applies them.

import type { Item, ItemType, Values } from './items.js';
import { valueOf } from './outbox.js';

/** The service must answer an operation. The message says why. */
export class NotLocal extends Error {}

type Test = (item: Item) => boolean;
const PRIORITIES = ['LOW', 'NORMAL', 'HIGH'];

/** GraphQL accepts a single value for a list. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** The time of a due date: a date counts as its start in UTC. */
function dueOf(item: Item): number | null {
  const due = valueOf(item, 'due');
  return typeof due === 'string' ? Date.parse(due) : null;
}

const FILTERS: Readonly<Record<string, (value: unknown) => Test>> = {
  ids: (value) => (item) => listOf(value).includes(item.id),
  completed: (value) => (item) => valueOf(item, 'completed') === value,
  priority: (value) => (item) => listOf(value).includes(valueOf(item, 'priority')),
  courseId: (value) => (item) => valueOf(item, 'courseId') === value,
  courseIds: (value) => (item) => listOf(value).includes(valueOf(item, 'courseId')),
  hasCourse: (value) => (item) => (valueOf(item, 'courseId') !== null) === value,
  hasDueDate: (value) => (item) => (valueOf(item, 'due') !== null) === value,
  dueAfter: (value) => (item) => (dueOf(item) ?? Number.NEGATIVE_INFINITY) >= Date.parse(String(value)),
  dueBefore: (value) => (item) => (dueOf(item) ?? Number.POSITIVE_INFINITY) < Date.parse(String(value)),
  tagIds: (value) => (item) => (valueOf(item, 'tagIds') as string[]).some((id) => listOf(value).includes(id)),
};
const FILTERS_OF: Readonly<Record<ItemType, readonly string[]>> = {
  Course: ['ids'],
  Tag: ['ids'],
  Document: ['ids', 'courseId', 'courseIds', 'tagIds'],
  Task: Object.keys(FILTERS),
};

/**
 * Whether an item matches a filter of the API.
 * @throws {@link NotLocal} for filters that need the service.
 */
export function filterOf(type: ItemType, filter: Values): Test {
  const inner = (value: unknown) => listOf(value).map((one) => filterOf(type, one as Values));
  const tests = Object.entries(filter).map(([name, value]): Test => {
    if (name === 'status') return (item) => value === null || item.status === value;
    // Null selects tasks in no course, and does not filter otherwise.
    if (value === null && !(name === 'courseId' && type === 'Task')) return () => true;
    if (name === 'and' || name === 'or') {
      const all = inner(value);
      return name === 'and' ? (item) => all.every((test) => test(item)) : (item) => all.some((test) => test(item));
    }
    if (name === 'not') {
      const test = filterOf(type, value as Values);
      return (item) => !test(item);
    }
    const make = FILTERS[name];
    if (!make || !FILTERS_OF[type].includes(name)) throw new NotLocal(`The filter \`${name}\` needs the service.`);
    return make(value);
  });
  return (item) => tests.every((test) => test(item));
}

type Compare = (one: Item, other: Item) => number;
const collator = new Intl.Collator('en');
const by = (field: string) => (item: Item) => (valueOf(item, field) ?? null) as string | null;
const byText = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

/** Compares by a value. Items without it come last, in both directions. */
function compareBy<V>(value: (item: Item) => V | null, compare: (one: V, other: V) => number, sign: number): Compare {
  return (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return sign * compare(a, b);
  };
}

/**
 * The order of a list. Ids contain the time of creation.
 * @throws {@link NotLocal} for orders that need the service.
 */
export function orderOf(type: ItemType, orderBy: unknown): Compare {
  const orders = (orderBy ? listOf(orderBy) : []) as { field: string; direction?: string | null }[];
  const compares: Compare[] = [];
  let sign = -1;
  for (const { field, direction } of orders.length ? orders : [{ field: 'CREATED_AT' }]) {
    const isText = field === (type === 'Course' || type === 'Tag' ? 'NAME' : 'TITLE');
    const isOfTasks = type === 'Task' && ['DUE_AT', 'POSITION', 'PRIORITY'].includes(field);
    if (!isText && !isOfTasks && field !== 'CREATED_AT') throw new NotLocal(`The order ${field} needs the service.`);
    sign = (direction ?? (field === 'CREATED_AT' || field === 'PRIORITY' ? 'DESC' : 'ASC')) === 'ASC' ? 1 : -1;
    if (field === 'CREATED_AT') compares.push(compareBy(({ id }) => id, byText, sign));
    else if (isText) compares.push(compareBy(by(field.toLowerCase()), collator.compare, sign));
    else if (field === 'DUE_AT') compares.push(compareBy(dueOf, (one, other) => one - other, sign));
    else if (field === 'POSITION') compares.push(compareBy(by('position'), byText, sign));
    else if (field === 'PRIORITY') compares.push(compareBy((item) => PRIORITIES.indexOf(by('priority')(item)!), (one, other) => one - other, sign));
  }
  compares.push((one, other) => sign * byText(one.id, other.id));
  return (one, other) => compares.reduce((found, compare) => found || compare(one, other), 0);
}
