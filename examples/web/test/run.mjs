// All tests, one after another, against a service with an empty database and the built app: npm test [PART OF A FILE'S NAME].
// CHROMIUM is the browser (default /usr/bin/chromium), and SNAPNOTE the service (default target/debug/snapnote).

import { after, before } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { start } from './support/processes.mjs';

const FILES = ['accounts', 'notes', 'conflicts', 'tasks', 'tags', 'search', 'pictures', 'trash', 'live', 'offline', 'appearance', 'budgets'];
const [wanted = ''] = process.argv.slice(2);
let world;
let browser;

before(async () => {
  [world, browser] = await Promise.all([start(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

for (const name of FILES) if (name.includes(wanted)) await import(`./${name}.mjs`);
