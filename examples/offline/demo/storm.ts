// Chance in place of a story: node dist/demo/storm.js http://127.0.0.1:8080/graphql SEED…
// For each seed two devices of somebody new do things at random, while their lines break and their programs are started
// again; then all is well, and they must have the same, which is what the service has. Ends with 1 if they do not.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Item } from '../src/items.js';
import { Device, differences } from './device.js';
import type { Mode } from './line.js';
import { everything, history, newcomer } from './truth.js';

const [service = '', ...seeds] = process.argv.slice(2);
const STEPS = 200;

/** mulberry32: the same numbers for the same seed. */
function dice(seed: number): (sides: number) => number {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

class Storm {
  private readonly roll: (sides: number) => number;
  private count = 0;
  private touched = '';
  /** How often something was done to an item, as `UPDATED <id>`. */
  private readonly done = new Map<string, number>();
  /** What its only writer last wrote into a field, as `completed <id>`. */
  private readonly last = new Map<string, unknown>();
  private readonly made = new Set<string>();

  private constructor(private readonly seed: number, private readonly devices: Device[]) {
    this.roll = dice(seed);
  }

  static async run(seed: number): Promise<string[]> {
    const who = await newcomer(service);
    const folder = mkdtempSync(`${tmpdir()}/snapnote-storm-${seed}-`);
    const signedIn = ['A', 'B'].map((name) => Device.signedIn(name, service, who, folder));
    const storm = new Storm(seed, await Promise.all(signedIn));
    for (let step = 0; step < STEPS; step += 1) await storm.step();
    const { devices } = storm;
    for (const { line } of devices) line.is('open');
    await Promise.all(devices.map((device) => device.live()));
    await Promise.all(devices.map((device) => device.until('sent', () => device.client.outbox().length === 0)));
    const truth = await everything(service, who);
    const wrong: string[] = [];
    for (const device of devices) {
      const { name, client } = device;
      const differ = () => differences(client.items(), truth).map((difference) => `${name}: ${difference}`);
      await device.until('alike', () => differ().length === 0).catch(() => wrong.push(...differ()));
    }
    wrong.push(...storm.check(truth, await history(service, who)));
    const lost = devices.reduce((sum, { line }) => sum + line.lost, 0);
    const [conflicts, refused] = [devices.flatMap((one) => one.conflicts), devices.flatMap((one) => one.refused)];
    console.log(
      `seed ${seed}: ${storm.count} things done, ${lost} answers lost, ${conflicts.length} conflicts, ` +
        `${refused.length} refused, ${truth.size} items in the end${wrong.length ? ': WRONG' : ''}`,
    );
    await Promise.all(devices.map((device) => device.close()));
    rmSync(folder, { recursive: true });
    return wrong.map((text) => `seed ${seed}: ${text}`);
  }

  private one<T>(all: readonly T[]): T | undefined {
    return all[this.roll(all.length || 1)];
  }

  private async step(): Promise<void> {
    const device = this.one(this.devices)!;
    const kind = this.roll(20);
    if (kind < 10) await this.write(device);
    else if (kind < 13) {
      device.line.is(this.one<Mode>(['open', 'open', 'open', 'cut', 'deaf', 'deaf', 'deaf', 'frozen'])!);
      device.client.wake();
    } else if (kind < 19) await new Promise((done) => setTimeout(done, this.roll(60)));
    else if (this.roll(2)) await device.crash();
    else {
      await device.client.stop();
      if (this.roll(4) === 0) device.spoilCursor();
      await device.open();
    }
  }

  private did(action: string, id: string): void {
    this.done.set(`${action} ${id}`, (this.done.get(`${action} ${id}`) ?? 0) + 1);
    this.count += 1;
    this.touched = id;
  }

  private async write({ name, client }: Device): Promise<void> {
    const all = [...client.items().values()].sort((one, other) => (one.id < other.id ? -1 : 1));
    const active = all.filter(({ status }) => status === 'ACTIVE');
    const course = this.one(active.filter(({ type }) => type === 'Course'))?.id ?? null;
    const text = `${this.seed} ${this.count}`;
    // Often the one that was touched last, or one of the oldest: so they meet.
    const again = active.find(({ id }) => id === this.touched);
    const item = this.roll(2) && again ? again : this.one(this.roll(2) ? active.slice(0, 6) : active);
    const trashed = this.one(all.filter(({ status }) => status === 'TRASH'));
    switch (this.roll(all.length < 12 ? 12 : 16)) {
      case 0:
        return this.making(client.create('Course', { name: text }));
      case 1:
        if (!course) return;
        return this.making(client.create('Document', { courseId: course, title: text, originalText: '', formattedNote: text }));
      case 2:
      case 3:
        return this.making(client.create('Task', { title: text, courseId: this.roll(2) ? course : null }));
      case 8:
        if (!item) return;
        this.did('TRASHED', item.id);
        return client.trash(item.id);
      case 9:
        if (!trashed) return;
        this.did('RESTORED', trashed.id);
        return client.restore(trashed.id);
      case 10:
        if (!trashed) return;
        this.did('DELETED', trashed.id);
        return client.delete(trashed.id);
      default:
        if (item) return this.edit(name, client, item, text, course);
    }
  }

  private async making(id: Promise<string>): Promise<void> {
    this.made.add(await id);
    this.did('CREATED', await id);
  }

  /** What is done and how important it is has one writer each, so that neither can be in conflict; the rest has two. */
  private async edit(name: string, client: Device['client'], item: Item, text: string, course: string | null): Promise<void> {
    const { id, type } = item;
    this.did('UPDATED', id);
    if (type === 'Course') return client.update('Course', id, this.roll(2) ? { name: text } : { description: text });
    if (type === 'Document') {
      return client.update('Document', id, this.roll(2) ? { title: text } : { metadata: { b: text, a: [1] } });
    }
    switch (this.roll(4)) {
      case 0:
        return client.update('Task', id, { title: text });
      case 1:
        return client.update('Task', id, { courseId: course, dueAt: `2027-01-01T00:00:${10 + (this.count % 50)}.5+01:00` });
      default: {
        const priority = this.one(['LOW', 'NORMAL', 'HIGH'] as const)!;
        const only = name === 'A' ? { completed: !item.fields.completed } : { priority };
        for (const [field, value] of Object.entries(only)) this.last.set(`${field} ${id}`, value);
        return client.update('Task', id, only);
      }
    }
  }

  private check(truth: ReadonlyMap<string, Item>, history: { action: string; itemId: string }[]): string[] {
    const wrong: string[] = [];
    const refused = this.devices.flatMap((device) => device.refused.map(({ entry }) => entry));
    const happened = new Map<string, number>();
    for (const { action, itemId } of history) {
      happened.set(`${action} ${itemId}`, (happened.get(`${action} ${itemId}`) ?? 0) + 1);
    }
    for (const id of this.made) {
      const lost = !truth.has(id) && !happened.has(`DELETED ${id}`) && !refused.some((entry) => entry.id === id);
      if (lost) wrong.push(`${id} was made, and is nowhere`);
    }
    // Nothing is done twice. (What stands in a course goes and comes with it.)
    for (const [what, times] of happened) {
      const [action, id] = what.split(' ') as [string, string];
      const along = ['TRASHED', 'RESTORED', 'DELETED'].includes(action) && truth.get(id)?.type !== 'Course';
      const done = this.done.get(what) ?? 0;
      if (!along && times > done) wrong.push(`${what} ${times} times, and done ${done} times`);
    }
    for (const { item, ...conflict } of this.devices.flatMap(({ conflicts }) => conflicts)) {
      const one = ['completed', 'priority'].includes(conflict.field);
      if (one) wrong.push(`${item.id} has one writer, and a conflict: ${JSON.stringify(conflict)}`);
    }
    for (const [what, value] of this.last) {
      const [field, id] = what.split(' ') as [string, string];
      const there = truth.get(id);
      const told = refused.some((entry) => entry.id === id);
      const kept = (there?.fields as Record<string, unknown> | undefined)?.[field] === value;
      if (there && !told && !kept) wrong.push(`${what} is not ${value}, and nobody was told`);
    }
    return wrong;
  }
}

const wrong = (await Promise.all(seeds.map((seed) => Storm.run(Number(seed))))).flat();
for (const text of wrong) console.error(text);
process.exit(wrong.length ? 1 : 0);
