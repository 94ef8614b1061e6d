// Two devices of one person, told as a story: node dist/demo/demo.js http://127.0.0.1:8080/graphql
// It signs up somebody new, prints what happens, and ends with 1 if the devices do not end alike.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Item } from '../src/items.js';
import { Device, differences } from './device.js';
import { everything, history, newcomer } from './truth.js';

const service = process.argv[2] ?? 'http://127.0.0.1:8080/graphql';
const say = (text: string) => console.log(text);
const check = (holds: boolean, what: string) => {
  if (!holds) throw new Error(`It should be so, and is not: ${what}`);
};

const who = await newcomer(service);
const folder = mkdtempSync(`${tmpdir()}/snapnote-offline-`);
const [a, b] = await Promise.all(['A', 'B'].map((name) => Device.signedIn(name, service, who, folder)));
if (!a || !b) throw new Error();

const show = (device: Device) => {
  for (const { type, id, status, version, fields } of device.client.items().values()) {
    const { name, title, ...rest } = fields as Record<string, unknown>;
    const more = type === 'Task' ? ` ${JSON.stringify({ completed: rest['completed'], priority: rest['priority'] })}` : '';
    say(`     ${device.name}  ${id.slice(-6)} v${version} ${status.padEnd(6)} ${type.padEnd(8)} ${name ?? title}${more}`);
  }
};

/** Both have sent all that they have, and have heard all that there is. */
const alike = async () => {
  await Promise.all([a.live(), b.live()]);
  await a.until('sent', () => a.client.outbox().length === 0);
  await b.until('sent', () => b.client.outbox().length === 0);
  const truth = await everything(service, who);
  const isThere = (device: Device) => () => differences(device.client.items(), truth).length === 0;
  for (const device of [a, b]) {
    await device.until('alike', isThere(device)).catch((error) => {
      throw new Error([error, ...differences(device.client.items(), truth)].join('\n'));
    });
  }
  say(`   = both have what the service has: ${truth.size} items`);
  return truth;
};
const titled = (items: ReadonlyMap<string, Item>, id: string) => items.get(id)?.fields as Record<string, unknown> | undefined;

say('1. Both are there. A makes a course, a document and three tasks; B sees them as they come.');
await Promise.all([a.live(), b.live()]);
const course = await a.client.create('Course', { name: 'Algebra', color: '#4F6BED' });
const note = { title: 'Groups', originalText: 'a group is …', formattedNote: '# Groups', metadata: { page: 1, by: 'pen' } };
await a.client.create('Document', { courseId: course, ...note });
const reading = await a.client.create('Task', { courseId: course, title: 'Read chapter 1' });
const sheet = await a.client.create('Task', { courseId: course, title: 'Sheet 1' });
const old = await a.client.create('Task', { title: 'Buy a notebook' });
await alike();
show(b);

say('2. A loses its network, and its user goes on working.');
a.line.is('cut');
const exam = await a.client.create('Task', { courseId: course, title: 'Register for the exam', dueAt: '2027-02-01T09:00:00Z' });
await a.client.update('Task', exam, { priority: 'HIGH' });
await a.client.update('Task', reading, { title: 'Read chapters 1 and 2', completed: true });
await a.client.trash(old);
show(a);

say('3. B, meanwhile, changes the same task (its title, and its priority), and another.');
await b.client.update('Task', reading, { title: 'Read chapter 1 twice', priority: 'HIGH' });
await b.client.update('Task', sheet, { completed: true });
await b.until('sent', () => b.client.outbox().length === 0);

say(`4. A is started again. It still knows what it is to do: ${a.client.outbox().map(({ kind }) => kind).join(', ')}.`);
await a.reopen();
check(a.client.outbox().length === 4, 'the outbox is kept');

say('5. The network is back, but each answer is lost: what A sends is done, and A is not told.');
a.decide = ({ field, base, mine, theirs }) => {
  say(`   ? ${field} was "${base}"; here it became "${mine}", elsewhere "${theirs}": A's user takes both`);
  return `${mine} (${theirs})`;
};
a.line.is('deaf');
a.client.wake();
await a.until('sent', () => a.client.outbox().length === 0);
say(`   = nothing is left to be done: after ${a.line.lost} answers that were lost`);
check(a.line.lost >= 4, 'answers were lost');
a.line.is('open');
const truth = await alike();
show(a);
const read = titled(truth, reading);
check(read?.['title'] === 'Read chapters 1 and 2 (Read chapter 1 twice)', 'the title is what the user decided');
check(read?.['completed'] === true && read['priority'] === 'HIGH', 'what only one of them changed is kept of both');
check(a.conflicts.length === 1 && b.conflicts.length === 0, 'one conflict in all: an answer that was lost is none');
check(a.refused.length + b.refused.length === 0, 'nothing was refused');
for (const [id, expected] of [[exam, 'CREATED UPDATED'], [old, 'CREATED TRASHED'], [reading, 'CREATED UPDATED UPDATED']]) {
  const happened = (await history(service, who)).filter(({ itemId }) => itemId === id).map(({ action }) => action);
  check(happened.join(' ') === expected, `${expected}, each once; it is ${happened.join(' ')}`);
}

say('6. A is away again, makes a task, and edits what B deletes. When it is back its cursor has expired.');
a.line.is('cut');
const late = await a.client.create('Task', { title: 'Return the books' });
await a.client.update('Task', sheet, { title: 'Sheet 1, corrected' });
await b.client.trash(sheet);
await b.client.delete(sheet);
await b.client.delete(old);
await b.until('sent', () => b.client.outbox().length === 0);
await a.client.stop();
a.spoilCursor();
await a.open();
a.line.is('open');
const end = await alike();
check(end.has(late), 'what was made offline is there');
check(!end.has(old), 'what was deleted is gone');
const [refused] = a.refused;
check(a.refused.length === 1 && refused?.codes[0] === 'NOT_FOUND', 'A is told that its edit came too late');
const { fields } = refused?.entry as { fields: unknown };
say(`   ! A's user is told: ${JSON.stringify(fields)} came too late, the task is deleted`);

say('7. A renames a task, the answer is lost, and A renames it again. That is no conflict: both names are its own.');
a.line.is('deaf', 'cut');
await a.client.update('Task', exam, { title: 'Register' });
await b.until('heard', () => titled(b.client.items(), exam)?.['title'] === 'Register');
await a.client.update('Task', exam, { title: 'Register by Friday' });
a.line.is('open');
check(titled(await alike(), exam)?.['title'] === 'Register by Friday', 'the last name stays');
check(a.conflicts.length === 1, 'no more conflicts');

say('8. A trashes a task and the answer is lost; B brings the task back. A does not trash it again.');
a.line.is('deaf', 'cut');
await a.client.trash(reading);
await b.until('heard', () => b.client.items().get(reading)?.status === 'TRASH');
await b.client.restore(reading);
await b.until('sent', () => b.client.outbox().length === 0);
a.line.is('open');
check((await alike()).get(reading)?.status === 'ACTIVE', 'who came last has his way');

say('9. A trashes the course, with all that is in it, and brings it back.');
await a.client.trash(course);
await alike();
await a.client.restore(course);
await alike();
show(b);
await Promise.all([a.close(), b.close()]);
rmSync(folder, { recursive: true });
