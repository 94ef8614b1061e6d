// A scripted demo with two devices of one user: node dist/demo/demo.js http://127.0.0.1:8080/graphql
// It signs up a new user, prints each step, and exits with 1 if the devices end with different items.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { inOrder, positionsOf, type Item, type ItemOf, type Values } from '@snapnote/client';
import { Device, differences } from './device.js';
import { allChanges, allItems, newUser } from './service-state.js';

const service = process.argv[2] ?? 'http://127.0.0.1:8080/graphql';
const say = (text: string) => console.log(text);
const check = (holds: boolean, what: string) => {
  if (!holds) throw new Error(`Check failed: ${what}`);
};

const user = await newUser(service);
const folder = mkdtempSync(`${tmpdir()}/snapnote-offline-`);
const [a, b] = await Promise.all(['A', 'B'].map((name) => Device.signedIn(name, service, user, folder)));
if (!a || !b) throw new Error();

const show = (device: Device) => {
  for (const { type, id, status, version, fields } of device.client.items().values()) {
    const { name, title, ...rest } = fields as unknown as Values;
    const more = type === 'Task' ? ` ${JSON.stringify({ completed: rest['completed'], priority: rest['priority'] })}` : '';
    say(`     ${device.name}  ${id.slice(-6)} v${version} ${status.padEnd(6)} ${type.padEnd(8)} ${name ?? title}${more}`);
  }
};

/** Waits until both devices have sent all changes and have the same items as the service. */
const synchronized = async () => {
  await Promise.all([a.live(), b.live()]);
  await a.waitUntil('sent', () => a.client.outbox().length === 0);
  await b.waitUntil('sent', () => b.client.outbox().length === 0);
  let expected = await allItems(service, user);
  // Versions of a course's items can still change in the background, so each attempt reads the service's items again.
  const isEqual = (device: Device) => async () => {
    expected = await allItems(service, user);
    return differences(device.client.items(), expected).length === 0;
  };
  for (const device of [a, b]) {
    await device.waitUntil('synchronized', isEqual(device)).catch((error) => {
      throw new Error([error, ...differences(device.client.items(), expected)].join('\n'));
    });
  }
  say(`   = both devices have the service's ${expected.size} items`);
  return expected;
};
const fieldsOf = (items: ReadonlyMap<string, Item>, id: string) => items.get(id)?.fields as unknown as Values | undefined;

say('1. Both devices are online. A creates a course, a document and three tasks, and B receives them live.');
await Promise.all([a.live(), b.live()]);
const course = await a.client.create('Course', { name: 'Algebra', color: '#4F6BED' });
const note = { title: 'Groups', originalText: 'a group is …', formattedNote: '# Groups', metadata: { page: 1, by: 'pen' } };
await a.client.create('Document', { courseId: course, ...note });
const reading = await a.client.create('Task', { courseId: course, title: 'Read chapter 1' });
const sheet = await a.client.create('Task', { courseId: course, title: 'Sheet 1' });
const old = await a.client.create('Task', { title: 'Buy a notebook' });
await synchronized();
show(b);

say('2. A loses its network. Its user keeps working.');
a.proxy.setMode('offline');
const exam = await a.client.create('Task', { courseId: course, title: 'Register for the exam', due: '2027-02-01' });
await a.client.update('Task', exam, { priority: 'HIGH' });
await a.client.update('Task', reading, { title: 'Read chapters 1 and 2', completed: true });
await a.client.trash(old);
show(a);

say('3. Meanwhile B changes the title and priority of the same task, and another task.');
await b.client.update('Task', reading, { title: 'Read chapter 1 twice', priority: 'HIGH' });
await b.client.update('Task', sheet, { completed: true });
await b.waitUntil('sent', () => b.client.outbox().length === 0);

say(`4. A restarts. Its outbox is still there: ${a.client.outbox().map(({ kind }) => kind).join(', ')}.`);
await a.reopen();
check(a.client.outbox().length === 4, 'the outbox survives the restart');

say('5. The network is back, but every response is lost: the changes of A succeed, and A does not know it.');
a.resolveConflict = ({ field, base, mine, theirs }) => {
  say(`   ? conflict: ${field} was "${base}", is now "${mine}" here and "${theirs}" elsewhere. A's user keeps both`);
  return `${mine} (${theirs})`;
};
a.proxy.setMode('lossy');
a.client.wake();
await a.waitUntil('sent', () => a.client.outbox().length === 0);
// The change feed can report the last change before its response is lost.
await a.waitUntil('lost', () => a.proxy.lostResponses >= 4);
say(`   = the outbox is empty after ${a.proxy.lostResponses} lost responses`);
a.proxy.setMode('open');
const merged = await synchronized();
show(a);
const read = fieldsOf(merged, reading);
check(read?.['title'] === 'Read chapters 1 and 2 (Read chapter 1 twice)', 'the title is the one that the user chose');
check(read?.['completed'] === true && read['priority'] === 'HIGH', 'fields that only one device changed are merged');
check(a.conflicts.length === 1 && b.conflicts.length === 0, 'there is exactly one conflict; lost responses cause none');
check(a.rejected.length + b.rejected.length === 0, 'nothing was rejected');
for (const [id, expected] of [[exam, 'CREATED UPDATED'], [old, 'CREATED TRASHED'], [reading, 'CREATED UPDATED UPDATED']]) {
  const actions = (await allChanges(service, user)).filter(({ itemId }) => itemId === id).map(({ action }) => action);
  check(actions.join(' ') === expected, `the changes are ${expected}; got ${actions.join(' ')}`);
}

say('6. A is offline again, creates a task, and edits a task that B deletes. When A returns, its cursor has expired.');
a.proxy.setMode('offline');
const late = await a.client.create('Task', { title: 'Return the books' });
await a.client.update('Task', sheet, { title: 'Sheet 1, corrected' });
await b.client.trash(sheet);
await b.client.delete(sheet);
await b.client.delete(old);
await b.waitUntil('sent', () => b.client.outbox().length === 0);
await a.client.stop();
a.expireCursor();
await a.open();
a.proxy.setMode('open');
const end = await synchronized();
check(end.has(late), 'the task that was created offline exists');
check(!end.has(old), 'the deleted task is gone');
const [rejected] = a.rejected;
check(a.rejected.length === 1 && rejected?.codes[0] === 'NOT_FOUND', 'the edit of the deleted task is rejected');
const { fields } = rejected?.entry as { fields: unknown };
say(`   ! A's user sees: ${JSON.stringify(fields)} was rejected, because the task is deleted`);

say('7. A renames a task, the response is lost, and A renames it again. This is no conflict, because A wrote both names.');
a.proxy.setMode('lossy', 'offline');
await a.client.update('Task', exam, { title: 'Register' });
await b.waitUntil('received', () => fieldsOf(b.client.items(), exam)?.['title'] === 'Register');
await a.client.update('Task', exam, { title: 'Register by Friday' });
a.proxy.setMode('open');
check(fieldsOf(await synchronized(), exam)?.['title'] === 'Register by Friday', 'the last name wins');
check(a.conflicts.length === 1, 'there are no more conflicts');

say('8. A trashes a task and the response is lost. B restores the task. A does not trash it again.');
a.proxy.setMode('lossy', 'offline');
await a.client.trash(reading);
await b.waitUntil('received', () => b.client.items().get(reading)?.status === 'TRASH');
await b.client.restore(reading);
await b.waitUntil('sent', () => b.client.outbox().length === 0);
a.proxy.setMode('open');
check((await synchronized()).get(reading)?.status === 'ACTIVE', 'the last change wins');

say('9. Both devices are offline and put a task before the same one. They choose the same position, so the ids decide the order.');
const tasks = (device: Device) => {
  const isActiveTask = (item: Item): item is ItemOf<'Task'> => item.type === 'Task' && item.status === 'ACTIVE';
  return inOrder([...device.client.items().values()].filter(isActiveTask));
};
const move = async (device: Device, id: string, before: string | null) => {
  const others = tasks(device).filter((task) => task.id !== id);
  for (const [task, position] of positionsOf(id, others, before)) await device.client.update('Task', task, { position });
};
const titles = (device: Device) => tasks(device).map(({ fields: { title, position } }) => `${title} (${position})`).join(', ');
const cards = await a.client.create('Task', { title: 'Write cards' });
for (const id of [reading, exam, late, cards]) await move(a, id, null);
await synchronized();
check(titles(b) === titles(a), 'both devices have the same order');
for (const device of [a, b]) device.proxy.setMode('offline');
await move(a, exam, reading);
await move(b, late, reading);
for (const device of [a, b]) device.proxy.setMode('open');
await synchronized();
const [first, second, third] = tasks(a);
say(`     ${titles(a)}`);
check(titles(b) === titles(a) && third?.id === reading, 'both devices have the same order');
check(first?.fields.position === second?.fields.position, 'both devices chose the same position');
await move(a, cards, second!.id);
await synchronized();
say(`     ${titles(b)}`);
check(tasks(b).map(({ id }) => id).join() === [first!.id, cards, second!.id, reading].join(), 'a task can be put between them');

say('10. A tags tasks. B trashes the tag and restores it. Only the tag changes, and the tasks have it again.');
const tag = await a.client.create('Tag', { name: 'Exam' });
for (const task of [exam, reading]) await a.client.update('Task', task, { tagIds: [tag] });
const tagged = (await synchronized()).get(exam);
await b.client.trash(tag);
check((fieldsOf(await synchronized(), exam)?.['tagIds'] as unknown[]).length === 0, 'tags in the trash do not show');
await b.client.restore(tag);
const restored = await synchronized();
check(restored.get(exam)?.version === tagged?.version, 'the version of the task is the same');
check((fieldsOf(restored, exam)?.['tagIds'] as unknown[])[0] === tag, 'the task has its tag again');

say('11. A trashes the course with all its items, and restores it.');
await a.client.trash(course);
await synchronized();
await a.client.restore(course);
await synchronized();
show(b);
await Promise.all([a.close(), b.close()]);
rmSync(folder, { recursive: true });
