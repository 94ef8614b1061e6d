// All tests, against a service with an empty database and the built app: npm test [PART OF A FILE'S NAME].
// CHROMIUM is the browser (default /usr/bin/chromium), and SNAPNOTE the service (default target/debug/snapnote).

import { after, before, describe, it } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { start } from './support/processes.mjs';
import { tests } from './support/test.mjs';

const FILES = ['accounts', 'emails', 'notes', 'conflicts', 'tasks', 'tags', 'search', 'pictures', 'trash', 'live', 'offline', 'appearance', 'budgets'];
const CONCURRENCY = Number(process.env.CONCURRENCY ?? 4);
const [wanted = ''] = process.argv.slice(2);
let stop;
let browser;

before(async () => {
  [stop, browser] = await Promise.all([start(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await stop?.();
});

for (const name of FILES) {
  if (!name.includes(wanted)) continue;
  await import(`./${name}.mjs`);
}
// Budgets measure times, so they run alone.
const [measured, others] = [tests.filter(({ isAlone }) => isAlone), tests.filter(({ isAlone }) => !isAlone)];
if (others.length > 0) describe('the app', { concurrency: CONCURRENCY }, () => others.forEach(({ name, run }) => it(name, run)));
if (measured.length > 0) describe('budgets', () => measured.forEach(({ name, run }) => it(name, run)));
