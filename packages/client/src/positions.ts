// The manual order of tasks. Each task has a position, a key of fractional indexing: there is always a key between two others.

import { generateNKeysBetween } from 'fractional-indexing';
import type { ItemOf } from './items.js';

type Task = ItemOf<'Task'>;

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);
/** All positions sort before this character. */
const LAST = '\x7f';

/** Tasks in the service's order `POSITION`: byte by byte, tasks without a position last, and equal positions by id. */
export function inOrder(tasks: Iterable<Task>): Task[] {
  const position = ({ fields }: Task) => fields.position ?? LAST;
  return [...tasks].sort((one, other) => compare(position(one), position(other)) || compare(one.id, other.id));
}

/**
 * The positions, by task id, that put a task before another one, or at the end. `others` are the other tasks, in order. Usually
 * only the moved task gets a position. Others get one too if they have none, or have the same one and the task goes between them.
 */
export function positionsOf(moved: string, others: readonly Task[], before: string | null): Map<string, string> {
  const at = before === null ? others.length : others.findIndex(({ id }) => id === before);
  const position = (index: number) => others[index]?.fields.position ?? null;
  let [start, end] = [at, at];
  while (start > 0 && position(start - 1) === null) start -= 1;
  const low = position(start - 1);
  while (low !== null && position(end) === low) end += 1;
  const ids = others.slice(start, end).map(({ id }) => id);
  ids.splice(at - start, 0, moved);
  const keys = generateNKeysBetween(low, position(end), ids.length);
  return new Map(ids.map((id, index) => [id, keys[index]!]));
}
