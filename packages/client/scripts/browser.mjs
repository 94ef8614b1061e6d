// Random runs of each adapter in Chromium: npm run browser -- URL [RUNS [ADAPTER [FIRST_SEED [PARALLEL]]]]
// Two windows of one browser share a store, and a window of another browser is a second device of the same user. Their networks break,
// lose responses and return, and windows are reloaded. In the end, the three windows must show the tasks of the service: no task is lost or
// doubled. The service must allow the origin http://127.0.0.1:4890 (SNAPNOTE_CORS_ORIGINS). It exits with 1 if a run fails.

import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const [service, count = '5', only = 'all', first = '1', parallel = '1'] = process.argv.slice(2);
const PORT = Number(process.env.PORT ?? 4890);
const STEPS = 14;
/** How long anything may take. It is long, because a machine may be busy. */
const PATIENCE_MS = 300_000;
const root = new URL('../', import.meta.url).pathname;

/** Bundles a file into build/browser. */
async function bundle(file, options) {
  const outfile = `${root}build/browser/${file.split('/').at(-1).replace(/\.tsx?$/, '.js')}`;
  await build({ entryPoints: [root + file], bundle: true, format: 'esm', outfile, ignoreAnnotations: true, logLevel: 'warning', ...options });
  return outfile;
}

const { FlakyProxy } = await import(pathToFileURL(await bundle('../../examples/offline/demo/flaky-proxy.ts', { platform: 'node' })).href);
const { MemorySessionStore, Session } = await import(pathToFileURL(await bundle('src/index.ts', { platform: 'node', packages: 'external' })).href);
const define = { 'process.env.NODE_ENV': '"production"' };
const { outputFiles } = await build({ entryPoints: [`${root}test/browser/app.tsx`], bundle: true, format: 'esm', jsx: 'automatic', minify: true, define, write: false });
const page = `<!doctype html><meta charset="utf-8"><title>Tasks</title><link rel="icon" href="data:,"><main></main>
<script type="module" src="/app.js"></script>`;
const server = createServer((request, response) => {
  const isScript = request.url === '/app.js';
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html').end(isScript ? outputFiles[0].text : page);
});
await new Promise((done) => server.listen(PORT, '127.0.0.1', done));

/** A random number generator that returns the same numbers for the same seed (mulberry32). */
function generator(seed) {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

/** All tasks of the user as the service has them, and how often each was created. */
async function tasksOf(session) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${await session.accessToken()}` };
  const query = '{ tasks(first: 100) { nodes { id title } } changes(first: 100, after: null) { nodes { action itemId } } }';
  const response = await (await fetch(service, { method: 'POST', headers, body: JSON.stringify({ query }) })).json();
  if (!response.data) throw new Error(JSON.stringify(response.errors));
  const { tasks, changes } = response.data;
  return { shown: tasks.nodes.map(({ id, title }) => `${id} ${title}`).sort().join('\n'), changes: changes.nodes };
}

/** False if a change failed because there is no such task any more. Throws other errors. */
function isGone(error) {
  if (/There is no active|was not found in the collection/.test(error.message)) return false;
  throw error;
}

const shown = (window) =>
  window.evaluate(() => {
    const { dataset } = document.querySelector('[data-status]') ?? { dataset: {} };
    const list = [...document.querySelectorAll('li')].map(({ id, textContent }) => `${id} ${textContent}`).sort().join('\n');
    return { ...dataset, list };
  });

async function open(context, { adapter, run, email, proxy }) {
  const window = await context.newPage();
  window.setDefaultTimeout(PATIENCE_MS);
  window.on('pageerror', (error) => window.problems.push(String(error)));
  window.problems = [];
  const parameters = new URLSearchParams({ adapter, run, email, url: proxy.url });
  await window.goto(`http://127.0.0.1:${PORT}/?${parameters}`);
  return window;
}

async function run(browser, adapter, seed) {
  const random = generator(seed);
  const email = `${adapter}-${seed}-${Date.now()}@example.com`;
  const session = new Session({ url: service, store: new MemorySessionStore(), timeoutMs: PATIENCE_MS });
  for (const { message } of await session.signUp({ email, password: 'correct horse', name: 'Ada' })) throw new Error(message);
  const proxies = [await FlakyProxy.start(service), await FlakyProxy.start(service)];
  const contexts = await Promise.all([browser.newContext(), browser.newContext()]);
  const to = (device) => ({ adapter, run: String(seed), email, proxy: proxies[device] });
  const ready = async (window) => {
    const isLoaded = window.waitForFunction(() => document.querySelector('[data-loaded=true]'), undefined, { timeout: PATIENCE_MS });
    await isLoaded.catch((error) => Promise.reject(new Error(`${error.message} ${window.problems}`)));
  };
  const windows = [await open(contexts[0], to(0)), await open(contexts[1], to(1))];
  await Promise.all(windows.map(ready));
  windows.push(await open(contexts[0], to(0)));
  await ready(windows[2]);
  const [created, removed, renamed] = [new Map(), new Set(), new Map()];
  for (let step = 0; step < STEPS; step += 1) {
    const window = windows[random(3)];
    const title = `${seed}.${step}`;
    const kind = random(12);
    const tasks = (await shown(window)).list.split('\n').filter(Boolean).map((line) => line.split(' ')[0]);
    const task = tasks[random(tasks.length || 1)];
    if (kind < 4 || !task) created.set(await window.evaluate((text) => window.app.add(text), title), title);
    else if (kind < 7) {
      // Another window may have removed the task since it was shown.
      const isRenamed = await window.evaluate(([id, text]) => window.app.rename(id, text), [task, title]).then(() => true, isGone);
      if (isRenamed) renamed.set(task, [...(renamed.get(task) ?? []), title]);
    } else if (kind < 8) {
      await window.evaluate((id) => window.app.remove(id), task).catch(isGone);
      removed.add(task);
    } else if (kind < 11) {
      proxies[random(2)].setMode(['open', 'offline', 'offline', 'lossy'][random(4)]);
      if (random(2)) await window.evaluate(() => window.app.wake());
    } else {
      await window.reload();
      await window.waitForFunction(() => window.app);
    }
    if (random(3) === 0) await new Promise((done) => setTimeout(done, random(80)));
  }
  for (const proxy of proxies) proxy.setMode('open');
  const problems = [];
  const began = Date.now();
  for (let states = []; ; ) {
    for (const window of windows) await window.evaluate(() => window.app.wake());
    const expected = await tasksOf(session);
    states = await Promise.all(windows.map(shown));
    if (states.every(({ status, unsent, list }) => status === 'live' && unsent === '0' && list === expected.shown)) break;
    if (Date.now() - began > PATIENCE_MS) {
      problems.push(`not equal after ${PATIENCE_MS / 1000} s:\n${states.map((state) => JSON.stringify(state)).join('\n')}\n${JSON.stringify(expected.shown)}`);
      break;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  const { shown: final, changes } = await tasksOf(session);
  const titles = new Map(final.split('\n').filter(Boolean).map((line) => line.split(' ')));
  for (const [id, title] of created) {
    if (!titles.has(id) && !removed.has(id)) problems.push(`${title} is lost`);
    const times = changes.filter((change) => change.itemId === id && change.action === 'CREATED').length;
    if (times !== 1) problems.push(`${title} was created ${times} times`);
    const possible = [title, ...(renamed.get(id) ?? [])];
    if (titles.has(id) && !possible.includes(titles.get(id))) problems.push(`${title} is now ${titles.get(id)}`);
  }
  for (const id of titles.keys()) if (!created.has(id)) problems.push(`${id} was not created by the test`);
  const connected = (await Promise.all([windows[0], windows[2]].map(shown))).filter((state) => state.connected === 'true');
  if (connected.length !== 1) problems.push(`${connected.length} windows of one browser are connected`);
  for (const window of windows) problems.push(...window.problems);
  await Promise.all(contexts.map((context) => context.close()));
  for (const proxy of proxies) proxy.close();
  return problems;
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let failed = 0;
for (const adapter of ['react', 'tanstack-db', 'apollo', 'urql']) {
  if (only !== 'all' && adapter !== only) continue;
  const began = Date.now();
  const seeds = Array.from({ length: Number(count) }, (_, index) => Number(first) + index);
  const [runs, failures] = [{ ended: 0 }, new Set()];
  const worker = async () => {
    for (let seed; (seed = seeds.shift()) !== undefined; runs.ended += 1) {
      const problems = await run(browser, adapter, seed).catch((error) => [String(error)]);
      if (problems.length) failures.add(seed);
      for (const problem of problems) console.error(`${adapter}, seed ${seed}: ${problem}`);
      if (runs.ended % 20 === 19) console.log(`${adapter}: ${runs.ended + 1} of ${count} runs have ended`);
    }
  };
  await Promise.all(Array.from({ length: Number(parallel) }, worker));
  console.log(`${adapter}: ${runs.ended} runs, ${failures.size} failed, ${Math.round((Date.now() - began) / 1000)} s`);
  failed += failures.size;
}
await browser.close();
server.close();
process.exit(failed ? 1 : 0);
