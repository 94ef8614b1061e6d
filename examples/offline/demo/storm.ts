// A randomized test: node dist/demo/storm.js http://127.0.0.1:8080/graphql SEED…
// For each seed, two devices of a new user make random changes while their networks break and their programs crash or restart.
// Then the networks recover, and both devices must have the same items as the service. Exits with 1 if they do not.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Item, Values } from '@snapnote/client';
import { Device, differences } from './device.js';
import type { Mode } from './flaky-proxy.js';
import { allChanges, allItems, newUser } from './service-state.js';

const [service = '', ...seeds] = process.argv.slice(2);
const STEPS = 200;

/** mulberry32: a random number generator that returns the same numbers for the same seed. */
function generator(seed: number): (sides: number) => number {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

class Storm {
  /** A random number below its argument. */
  private readonly random: (limit: number) => number;
  private count = 0;
  private lastItem = '';
  /** How often each action was requested for an item, by `UPDATED <id>`. */
  private readonly requested = new Map<string, number>();
  /** The last value of fields that only one device writes, by `completed <id>`. */
  private readonly lastValue = new Map<string, unknown>();
  private readonly created = new Set<string>();

  private constructor(private readonly seed: number, private readonly devices: Device[]) {
    this.random = generator(seed);
  }

  static async run(seed: number): Promise<string[]> {
    const user = await newUser(service);
    const folder = mkdtempSync(`${tmpdir()}/snapnote-storm-${seed}-`);
    const signedIn = ['A', 'B'].map((name) => Device.signedIn(name, service, user, folder));
    const storm = new Storm(seed, await Promise.all(signedIn));
    for (let step = 0; step < STEPS; step += 1) await storm.step();
    const { devices } = storm;
    for (const { proxy } of devices) proxy.setMode('open');
    await Promise.all(devices.map((device) => device.live()));
    await Promise.all(devices.map((device) => device.waitUntil('sent', () => device.client.outbox().length === 0)));
    let expected = await allItems(service, user);
    const problems: string[] = [];
    for (const device of devices) {
      const { name, client } = device;
      const differ = () => differences(client.items(), expected).map((difference) => `${name}: ${difference}`);
      // Versions of a course's items can still change in the background, so each attempt reads the service's items again.
      const isEqual = async () => {
        expected = await allItems(service, user);
        return differ().length === 0;
      };
      await device.waitUntil('synchronized', isEqual).catch(() => problems.push(...differ()));
    }
    problems.push(...storm.check(expected, await allChanges(service, user)));
    for (const device of devices) problems.push(...(await checkRestart(device)).map((text) => `${device.name}: ${text}`));
    for (const device of devices) {
      const differ = async () => differences(device.client.items(), await allItems(service, user));
      const isEqual = async () => (await differ()).length === 0;
      await device.waitUntil('equal again', isEqual, RECOVERY_MS).catch(async () => problems.push(...(await differ())));
    }
    const lost = devices.reduce((sum, { proxy }) => sum + proxy.lostResponses, 0);
    const [conflicts, rejected] = [devices.flatMap((one) => one.conflicts), devices.flatMap((one) => one.rejected)];
    console.log(
      `seed ${seed}: ${storm.count} changes, ${lost} lost responses, ${conflicts.length} conflicts, ` +
        `${rejected.length} rejected, ${expected.size} items at the end${problems.length ? ': FAILED' : ''}`,
    );
    await Promise.all(devices.map((device) => device.close()));
    rmSync(folder, { recursive: true });
    return problems.map((text) => `seed ${seed}: ${text}`);
  }

  private pick<T>(all: readonly T[]): T | undefined {
    return all[this.random(all.length || 1)];
  }

  private async step(): Promise<void> {
    const device = this.pick(this.devices)!;
    const kind = this.random(20);
    if (kind < 10) await this.write(device);
    else if (kind < 13) {
      device.proxy.setMode(this.pick<Mode>(['open', 'open', 'open', 'offline', 'lossy', 'lossy', 'lossy', 'frozen'])!);
      device.client.wake();
    } else if (kind < 19) await new Promise((done) => setTimeout(done, this.random(60)));
    else if (this.random(2)) await device.crash();
    else {
      await device.client.stop();
      if (this.random(4) === 0) device.expireCursor();
      await device.open();
    }
  }

  private record(action: string, id: string): void {
    this.requested.set(`${action} ${id}`, (this.requested.get(`${action} ${id}`) ?? 0) + 1);
    this.count += 1;
    this.lastItem = id;
  }

  private async write({ name, client }: Device): Promise<void> {
    const all = [...client.items().values()].sort((one, other) => (one.id < other.id ? -1 : 1));
    const active = all.filter(({ status }) => status === 'ACTIVE');
    const course = this.pick(active.filter(({ type }) => type === 'Course'))?.id ?? null;
    const text = `${this.seed} ${this.count}`;
    // Prefers the item of the last change and the oldest items, so that the devices often change the same item.
    const again = active.find(({ id }) => id === this.lastItem);
    const item = this.random(2) && again ? again : this.pick(this.random(2) ? active.slice(0, 6) : active);
    const trashed = this.pick(all.filter(({ status }) => status === 'TRASH'));
    switch (this.random(all.length < 12 ? 12 : 16)) {
      case 0:
        return this.recordCreated(client.create('Course', { name: text }));
      case 1:
        if (!course) return;
        return this.recordCreated(client.create('Document', { courseId: course, title: text, originalText: '', formattedNote: text }));
      case 2:
      case 3:
        return this.recordCreated(client.create('Task', { title: text, courseId: this.random(2) ? course : null }));
      case 4:
        if (this.random(3) > 0) return;
        return this.recordCreated(client.create('Tag', { name: text }));
      case 8:
        if (!item) return;
        this.record('TRASHED', item.id);
        return client.trash(item.id);
      case 9:
        if (!trashed) return;
        this.record('RESTORED', trashed.id);
        return client.restore(trashed.id);
      case 10:
        if (!trashed) return;
        this.record('DELETED', trashed.id);
        return client.delete(trashed.id);
      default:
        if (item) return this.edit(name, client, item, text, course);
    }
  }

  private async recordCreated(id: Promise<string>): Promise<void> {
    this.created.add(await id);
    this.record('CREATED', await id);
  }

  /** Only device A writes `completed` and only B writes `priority`, so these fields cannot conflict. Both write all other fields. */
  private async edit(name: string, client: Device['client'], item: Item, text: string, course: string | null): Promise<void> {
    const { id, type } = item;
    this.record('UPDATED', id);
    if (type === 'Course') return client.update('Course', id, this.random(2) ? { name: text } : { description: text });
    if (type === 'Tag') return client.update('Tag', id, { name: text });
    const tagIds = [...client.items().values()].filter((tag) => tag.type === 'Tag' && tag.status === 'ACTIVE' && this.random(2));
    if (this.random(4) === 0) return client.update(type, id, { tagIds: tagIds.map((tag) => tag.id).sort() });
    if (type === 'Document') {
      return client.update('Document', id, this.random(2) ? { title: text } : { metadata: { b: text, a: [1] } });
    }
    switch (this.random(4)) {
      case 0:
        return client.update('Task', id, { title: text });
      case 1: {
        const day = 10 + (this.count % 20);
        const due = this.random(2) ? `2027-01-${day}` : `2027-01-01T00:00:${day}.5+01:00`;
        return client.update('Task', id, { courseId: course, due });
      }
      default: {
        const priority = this.pick(['LOW', 'NORMAL', 'HIGH'] as const)!;
        const only = name === 'A' ? { completed: !item.fields.completed } : { priority };
        for (const [field, value] of Object.entries(only)) this.lastValue.set(`${field} ${id}`, value);
        return client.update('Task', id, only);
      }
    }
  }

  private check(items: ReadonlyMap<string, Item>, changes: { action: string; itemId: string }[]): string[] {
    const problems: string[] = [];
    const rejected = this.devices.flatMap((device) => device.rejected.map(({ entry }) => entry));
    const happened = new Map<string, number>();
    for (const { action, itemId } of changes) {
      happened.set(`${action} ${itemId}`, (happened.get(`${action} ${itemId}`) ?? 0) + 1);
    }
    for (const id of this.created) {
      const lost = !items.has(id) && !happened.has(`DELETED ${id}`) && !rejected.some((entry) => entry.id === id);
      if (lost) problems.push(`${id} was created and is lost`);
    }
    // No change happens more often than requested, except for items that are moved with their course.
    for (const [what, times] of happened) {
      const [action, id] = what.split(' ') as [string, string];
      const withCourse = ['TRASHED', 'RESTORED', 'DELETED'].includes(action) && items.get(id)?.type !== 'Course';
      const requested = this.requested.get(what) ?? 0;
      if (!withCourse && times > requested) problems.push(`${what} happened ${times} times, requested ${requested} times`);
    }
    for (const { item, ...conflict } of this.devices.flatMap(({ conflicts }) => conflicts)) {
      const oneWriter = ['completed', 'priority'].includes(conflict.field);
      if (oneWriter) problems.push(`${item.id} has a conflict in a field with one writer: ${JSON.stringify(conflict)}`);
    }
    for (const [what, value] of this.lastValue) {
      const [field, id] = what.split(' ') as [string, string];
      const item = items.get(id);
      const reported = rejected.some((entry) => entry.id === id);
      const kept = (item?.fields as unknown as Values | undefined)?.[field] === value;
      if (item && !reported && !kept) problems.push(`${what} is not ${value}, and no rejection was reported`);
    }
    return problems;
  }
}

/** How long a device may take to recover. */
const RECOVERY_MS = 40_000;

/**
 * Checks rules that random changes do not reach: access tokens last longer than a storm, and cursors expire seldom. In the end, the device
 * has read everything again.
 */
async function checkRestart(device: Device): Promise<string[]> {
  const { tokens, client } = device;
  const problems: string[] = [];
  await client.stop();

  const task = await client.create('Task', { title: 'same' });
  for (const title of ['other', 'same']) await client.update('Task', task, { title });
  if (client.outbox().length !== 1) problems.push('an update that changes nothing stays in the outbox');
  await client.trash(task);

  const before = device.storedSession();
  const { exp } = JSON.parse(Buffer.from(before.accessToken.split('.')[1]!, 'base64url').toString()) as { exp: number };
  if (before.renewAt >= exp * 1000) problems.push('the access token is not renewed before it expires');

  const renewed = await tokens.renew(before.accessToken);
  if (device.storedSession().accessToken !== renewed) problems.push('a new token is used before it is stored');

  // The service exchanges the refresh token, and its response is lost. Nothing else asks for a token.
  device.proxy.setMode('frozen');
  const isLost = await tokens.renew(renewed).then(() => false, () => true);
  device.proxy.setMode('open');
  if (!isLost) problems.push('the response of a refresh was not lost');
  const isRepeated = () => device.storedSession().accessToken !== renewed;
  await device.waitUntil('refreshed', isRepeated, RECOVERY_MS).catch(() => problems.push('a lost refresh was not repeated'));

  device.spoilToken();
  device.expireCursor();
  await device.open();
  const isSettled = () => device.client.status === 'live' && device.client.outbox().length === 0;
  await device.waitUntil('live', isSettled, RECOVERY_MS).catch(() => problems.push('a rejected token was not renewed'));
  return problems;
}

const problems = (await Promise.all(seeds.map((seed) => Storm.run(Number(seed))))).flat();
for (const text of problems) console.error(text);
process.exit(problems.length ? 1 : 0);
