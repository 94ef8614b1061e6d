// The rules of the outbox, without a network and a store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputOf, itemOf, newId, newItem, same, type Item } from '../src/items.js';
import { absorb, hasSucceeded, isAchieved, overlay, rebase, remainingChanges, type Entry, type Update } from '../src/outbox.js';
import { inOrder, positionsOf } from '../src/positions.js';

const update = (fields: object, base: object, more: object = {}): Update =>
  ({ key: 'k', kind: 'update', type: 'Task', id: 't', fields, base, ...more }) as Update;
const task = (fields: object, version = 1): Item => ({ ...newItem('Task', 't', { title: 'T', ...fields }), version });
const move = (kind: string, more: object = {}) => ({ key: 'k', kind, type: 'Task', id: 't', ...more }) as Entry;
const map = (...items: Item[]) => new Map(items.map((item) => [item.id, item]));

test('times, tags and JSON are compared by their meaning', () => {
  assert(same('due', '2027-01-01T09:00:00+01:00', '2027-01-01T08:00:00.000000Z'));
  assert(!same('due', '2027-01-01', '2027-01-01T00:00:00Z'));
  assert(same('tagIds', ['a', 'b'], ['b', 'a']));
  assert(!same('tagIds', ['a'], ['b', 'a']));
  assert(same('metadata', { a: [1, { b: 1, c: 2 }], d: null }, { d: null, a: [1, { c: 2, b: 1 }] }));
  assert(!same('metadata', { a: [1, 2] }, { a: [2, 1] }));
  assert(same('description', undefined, null));
});

test('a due date is a time or a date of the API', () => {
  assert.deepEqual(inputOf({ title: 'T', due: '2027-01-01' }), { title: 'T', dueOn: '2027-01-01' });
  assert.deepEqual(inputOf({ due: '2027-01-01T00:00:00Z' }), { dueAt: '2027-01-01T00:00:00Z' });
  assert.deepEqual(inputOf({ due: null }), { dueAt: null, dueOn: null });
  const common = { id: 't', version: 1, status: 'ACTIVE', trashedWith: { id: 'c' }, tags: [{ id: 'b' }, { id: 'a' }] } as const;
  const fields = { title: 'T', courseId: null, description: null, completed: false, priority: 'LOW', position: null } as const;
  const item = itemOf({ __typename: 'Task', ...common, ...fields, dueAt: null, dueOn: '2027-01-01' });
  assert.deepEqual([item.trashedWith, item.fields], ['c', { ...fields, due: '2027-01-01', tagIds: ['a', 'b'] }]);
});

test('ids are UUIDs of version 7 that sort by time', () => {
  const id = newId();
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert(Math.abs(parseInt(id.replaceAll('-', '').slice(0, 12), 16) - Date.now()) < 1000);
});

test('an update is absorbed by the last one of its item, unless that was sent', () => {
  const first = update({ title: 'B' }, { title: 'A' }, { key: '1' });
  const second = update({ title: 'C', priority: 'HIGH' }, { title: 'B', priority: 'LOW' }, { key: '2' });
  const absorbed = absorb([first], second).enqueue?.[0] as Update;
  assert.deepEqual([absorbed.key, absorbed.fields, absorbed.base], ['1', { title: 'C', priority: 'HIGH' }, { title: 'A', priority: 'LOW' }]);
  assert.deepEqual(absorb([{ ...first, sent: 1 }], second).enqueue, [second]);
  assert.deepEqual(absorb([first, move('trash', { key: '3' })], second).enqueue, [second]);
  assert.deepEqual(absorb([{ ...first, id: 'other' }], second).enqueue, [second]);
});

test('an update that changes nothing leaves no entry', () => {
  const first = update({ title: 'B' }, { title: 'A' }, { key: '1' });
  assert.deepEqual(absorb([first], update({ title: 'A' }, { title: 'B' })), { dequeue: ['1'] });
  assert.deepEqual(absorb([], update({ title: 'A' }, { title: 'A' })), {});
});

test('fields are merged, and a field that changed on both sides is a conflict', () => {
  const mine = update({ title: 'mine', priority: 'HIGH', completed: true }, { title: 'T', priority: 'LOW', completed: false });
  const { fields, conflicts } = remainingChanges(mine, task({ title: 'theirs', priority: 'LOW', completed: true }, 2));
  assert.deepEqual(fields, { priority: 'HIGH' });
  assert.deepEqual(conflicts.map(({ item, ...rest }) => ({ ...rest, id: item.id })), [
    { field: 'title', base: 'T', mine: 'mine', theirs: 'theirs', mayBeApplied: false, id: 't' },
  ]);
});

test('after a lost response, a second change may be based on this one', () => {
  const sent = update({ title: 'mine' }, { title: 'T' }, { sent: 1 });
  const mayBeApplied = (version: number) => remainingChanges(sent, task({ title: 'theirs' }, version)).conflicts[0]?.mayBeApplied;
  assert.deepEqual([mayBeApplied(2), mayBeApplied(3)], [false, true]);
});

test('a later change of the feed confirms an entry that was sent', () => {
  const change = (action: string, version: number, itemId = 't') => ({ action, version, itemId });
  assert(hasSucceeded(move('trash', { sent: 3 }), change('TRASHED', 4)));
  assert(!hasSucceeded(move('trash', { sent: 3 }), change('TRASHED', 3)));
  assert(!hasSucceeded(move('trash', { sent: 3 }), change('RESTORED', 4)));
  assert(!hasSucceeded(move('trash', { sent: 3 }), change('TRASHED', 4, 'other')));
  assert(!hasSucceeded(move('trash'), change('TRASHED', 4)) && !hasSucceeded(move('delete'), change('DELETED', 4)));
  assert(!hasSucceeded(update({}, {}, { sent: 3 }), change('UPDATED', 4)));
  assert(hasSucceeded(move('delete', { sent: 3 }), change('DELETED', 3)));
  assert(hasSucceeded(move('create', { sent: 0 }), change('CREATED', 1)));
});

test('a rejected entry may have achieved its goal', () => {
  const trashed = { ...task({}), status: 'TRASH' } as Item;
  assert(isAchieved(move('create'), undefined, ['TAKEN']) && isAchieved(move('create'), task({}), ['NOT_FOUND']));
  assert(!isAchieved(move('create'), undefined, ['NOT_FOUND']));
  assert(isAchieved(update({ title: 'T' }, { title: 'A' }), task({}), []) && !isAchieved(update({ title: 'B' }, { title: 'T' }), task({}), []));
  assert(!isAchieved(update({ title: 'T' }, {}), undefined, []));
  assert(isAchieved(move('trash'), trashed, []) && isAchieved(move('trash'), undefined, []) && !isAchieved(move('trash'), task({}), []));
  assert(isAchieved(move('restore'), task({}), []) && !isAchieved(move('restore'), trashed, []) && !isAchieved(move('restore'), undefined, []));
  assert(isAchieved(move('delete'), undefined, []) && !isAchieved(move('delete'), trashed, []));
});

test('an update after a rejected one is based on the value before both', () => {
  const rejected = update({ title: 'B' }, { title: 'A' });
  const later = update({ title: 'C', priority: 'HIGH' }, { title: 'B', priority: 'LOW' });
  assert.deepEqual((rebase(later, rejected) as Update).base, { title: 'A', priority: 'LOW' });
  assert.equal(rebase({ ...later, id: 'other' }, rejected).id, 'other');
  assert.deepEqual(rebase(move('trash'), rejected), move('trash'));
});

test('the view has the outbox applied', () => {
  const course: Item = { ...newItem('Course', 'c', { name: 'C' }), version: 1 };
  const [one, other] = [task({ courseId: 'c', tagIds: ['x'] }), { ...task({}), id: 'other' }];
  const tag: Item = { ...newItem('Tag', 'x', { name: 'X' }), version: 1 };
  const view = (...outbox: Entry[]) => overlay(map(course, one, other, tag), outbox);
  const on = (kind: string, id: string) => ({ ...move(kind), id });
  assert.equal(view(update({ title: 'B' }, {})).get('t')?.fields && (view(update({ title: 'B' }, {})).get('t') as Item & { type: 'Task' }).fields.title, 'B');
  const trashed = view(on('trash', 'c'));
  assert.deepEqual([trashed.get('t')?.status, trashed.get('t')?.trashedWith, trashed.get('other')?.status], ['TRASH', 'c', 'ACTIVE']);
  const restored = view(on('trash', 'other'), on('trash', 'c'), on('restore', 'c'));
  assert.deepEqual([restored.get('t')?.status, restored.get('other')?.status], ['ACTIVE', 'TRASH']);
  assert.deepEqual([...view(on('trash', 'c'), on('delete', 'c')).keys()], ['other', 'x']);
  assert.deepEqual((view(on('trash', 'x')).get('t') as Item & { type: 'Task' }).fields.tagIds, []);
  const created = view({ key: 'n', kind: 'create', type: 'Task', id: 'n', fields: { title: 'N' } }).get('n') as Item & { type: 'Task' };
  assert.deepEqual([created.version, created.fields.priority, created.fields.tagIds], [0, 'NORMAL', []]);
});

test('positions put a task before another one, even between equal ones', () => {
  const at = (id: string, position: string | null) => ({ ...newItem('Task', id, { title: id, position }) }) as Item & { type: 'Task' };
  const order = (tasks: (Item & { type: 'Task' })[]) => inOrder(tasks).map(({ id }) => id).join('');
  assert.equal(order([at('b', 'a1'), at('a', 'a1'), at('d', null), at('c', 'Zz')]), 'cabd');
  const others = [at('a', 'a1'), at('b', 'a1'), at('c', null)];
  const moved = (before: string | null) => {
    const positions = positionsOf('x', others, before);
    return order([...others, at('x', null)].map((one) => at(one.id, positions.get(one.id) ?? one.fields.position)));
  };
  assert.deepEqual([moved('a'), moved('b'), moved('c'), moved(null)], ['xabc', 'axbc', 'abxc', 'abcx']);
});
