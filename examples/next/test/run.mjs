// All tests, against a service with an empty database and the built app.
// CHROMIUM is the browser (default /usr/bin/chromium), and SNAPNOTE the service (default target/debug/snapnote).

import { after, before } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { startAll } from './support/processes.mjs';
import { world } from './support/world.mjs';

before(async () => {
  const [all, browser] = await Promise.all([startAll(), openBrowser()]);
  Object.assign(world, all, { browser });
});
after(async () => {
  await world.browser?.close();
  await world.stop?.();
});

await import('./pages.mjs');
await import('./sessions.mjs');
await import('./attacks.mjs');
