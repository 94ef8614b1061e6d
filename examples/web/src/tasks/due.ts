// Due dates: a date, which is the same everywhere, or a time. docs/sync.md explains why a date is never converted to a time.

import { inOrder, type ItemOf } from '@snapnote/client';

type Due = string | null;
type Task = ItemOf<'Task'>;

const isDate = (due: string) => due.length === 'YYYY-MM-DD'.length;
const two = (number: number) => String(number).padStart(2, '0');
const localDate = (date: Date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const localTime = (date: Date) => `${two(date.getHours())}:${two(date.getMinutes())}`;

/** A due date as the two fields of a form: the local date, and the local time or an empty text. */
export function partsOf(due: Due): { date: string; time: string } {
  if (!due) return { date: '', time: '' };
  if (isDate(due)) return { date: due, time: '' };
  const date = new Date(due);
  return { date: localDate(date), time: localTime(date) };
}

/** The due date of these fields. */
export function dueOf({ date, time }: { date: string; time: string }): Due {
  if (!date) return null;
  return time ? new Date(`${date}T${time}`).toISOString() : date;
}

/** The local date on which a task is due. */
const dayOf = (due: string) => (isDate(due) ? due : localDate(new Date(due)));

function daysUntil(day: string, now: Date): number {
  return Math.round((Date.parse(day) - Date.parse(localDate(now))) / 86_400_000);
}

export function isOverdue(due: Due, now = new Date()): boolean {
  if (!due) return false;
  return isDate(due) ? due < localDate(now) : Date.parse(due) < now.getTime();
}

/** A due date in words: `Today, 14:00`, `Tomorrow`, `Fri, Dec 4`. */
export function dueLabel(due: Due, now = new Date()): string {
  if (!due) return '';
  const day = dayOf(due);
  const days = daysUntil(day, now);
  const year = day.slice(0, 4) === String(now.getFullYear()) ? {} : ({ year: 'numeric' } as const);
  const words: Record<number, string> = { [-1]: 'Yesterday', 0: 'Today', 1: 'Tomorrow' };
  const date = new Date(`${day}T12:00`);
  const label = words[days] ?? date.toLocaleDateString('en-US', { weekday: 'short', month: 'short', day: 'numeric', ...year });
  return isDate(due) ? label : `${label}, ${localTime(new Date(due))}`;
}

/** A key that sorts dates before the times of the same day, and tasks without a due date last. */
const keyOf = (due: Due) => (!due ? '9' : isDate(due) ? `${due}T00:00` : `${localDate(new Date(due))}T${localTime(new Date(due))}`);

/** Tasks by due date, equal ones in their manual order. */
export function sortByDue(tasks: readonly Task[]): Task[] {
  return inOrder(tasks).sort((one, other) => keyOf(one.fields.due).localeCompare(keyOf(other.fields.due)));
}

export const GROUPS = ['Overdue', 'Today', 'Next 7 days', 'Later', 'No due date'] as const;

/** The group of a task in the list by due date. */
export function groupOf(due: Due, now = new Date()): (typeof GROUPS)[number] {
  if (!due) return 'No due date';
  if (isOverdue(due, now)) return 'Overdue';
  const days = daysUntil(dayOf(due), now);
  if (days === 0) return 'Today';
  return days <= 7 ? 'Next 7 days' : 'Later';
}
