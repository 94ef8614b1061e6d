// Runs the programs of the README in Chromium: npm run readme -- URL [PROGRAM]
// Two windows of one browser show the tasks of a user, also while their network is cut. Then they show changes of another device, and the
// service has those of the windows. The service must allow the origin http://127.0.0.1:4891. It exits with 1 if a program fails.

import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const PROGRAMS = ['react', 'tanstack-db', 'apollo', 'urql'];
const [service, only] = process.argv.slice(2);
if (only && !PROGRAMS.includes(only)) throw new Error(`PROGRAM must be one of ${PROGRAMS.join(', ')}; got ${only}.`);
const PORT = 4891;
/** How long anything may take. It is long, because a machine may be busy. */
const PATIENCE_MS = 120_000;
const root = new URL('../', import.meta.url).pathname;
const PASSWORD = 'correct horse battery';
/** The programs with a button to add a task. */
const ADDS = ['react', 'tanstack-db'];

/** The program, with the service's URL and the sources of the package. */
async function bundle(program) {
  const sources = {
    name: 'sources',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^@snapnote\/client/ }, ({ path }) => ({ path: `${root}src/${path.slice('@snapnote/client/'.length) || 'index'}.ts` }));
      onLoad({ filter: /test\/readme\/client\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replace('https://api.example.com/graphql', service),
        loader: 'ts',
      }));
    },
  };
  const define = { 'process.env.NODE_ENV': '"production"' };
  const entryPoints = [`${root}test/readme/${program}.tsx`];
  const { outputFiles } = await build({ entryPoints, plugins: [sources], bundle: true, format: 'esm', jsx: 'automatic', define, write: false });
  return outputFiles[0].text;
}

async function send(token, query, variables) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(service, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** Another device of a new user. */
async function newUser(program) {
  const email = `${program}-${Date.now()}@example.com`;
  const signUp = 'mutation($input: SignUpInput!) { signUp(input: $input) { accessToken userErrors { message } } }';
  const { accessToken, userErrors } = (await send(null, signUp, { input: { email, password: PASSWORD, name: 'Ada' } })).signUp;
  if (!accessToken) throw new Error(userErrors[0].message);
  return {
    email,
    add: (title) => send(accessToken, 'mutation($title: String!) { createTask(input: { title: $title }) { task { id } } }', { title }),
    tasks: async () => {
      const { tasks } = await send(accessToken, '{ tasks(first: 100) { nodes { title completed } } }');
      return tasks.nodes.map(({ title, completed }) => `${title}${completed ? ' (completed)' : ''}`).sort().join(', ');
    },
  };
}

async function eventually(condition, message) {
  for (const end = Date.now() + PATIENCE_MS; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${message}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function open(context, email) {
  const answers = { Email: email, Password: PASSWORD, Title: 'Three' };
  const window = await context.newPage();
  window.setDefaultTimeout(PATIENCE_MS);
  window.problems = [];
  window.on('pageerror', (error) => window.problems.push(String(error)));
  window.on('dialog', (dialog) => void dialog.accept(answers[dialog.message()]));
  await window.goto(`http://127.0.0.1:${PORT}/`);
  return window;
}

/** What a user does with the program that has checkboxes, and with the others. */
const listOf = (program) =>
  program === 'react'
    ? { row: (title, isDone) => `p:has(input${isDone ? ':checked' : ':not(:checked)'}):has-text("${title}")`, finish: 'p:has-text("One") input', isFinished: 'p:has(:checked):has-text("One")' }
    : { row: (title) => `button:text-is("Finish ${title}")`, finish: 'button:text-is("Finish One")' };

async function run(browser, program) {
  const user = await newUser(program);
  for (const title of ['One', 'Two']) await user.add(title);
  const context = await browser.newContext();
  const windows = [await open(context, user.email)];
  const { row, finish, isFinished } = listOf(program);
  const shows = (title) => Promise.all(windows.map((window) => window.locator(row(title)).waitFor()));
  await shows('One');
  windows.push(await open(context, user.email));
  for (const title of ['One', 'Two']) await shows(title);
  await context.setOffline(true);
  await windows[0].locator(finish).click();
  await Promise.all(windows.map((window) => (isFinished ? window.locator(isFinished).waitFor() : window.locator(finish).waitFor({ state: 'detached' }))));
  const isAdding = ADDS.includes(program);
  if (isAdding) {
    await windows[1].getByRole('button', { name: 'Add', exact: true }).click();
    await shows('Three');
  }
  const before = await user.tasks();
  if (before !== 'One, Two') throw new Error(`the network was not cut: ${before}`);
  await user.add('Four');
  await context.setOffline(false);
  await shows('Four');
  const expected = ['Four', 'One (completed)', ...(isAdding ? ['Three'] : []), 'Two'].join(', ');
  await eventually(async () => (await user.tasks()) === expected, `the service has ${expected}`);
  const problems = windows.flatMap((window) => window.problems);
  if (problems.length) throw new Error(problems.join('\n'));
  await context.close();
}

let script = '';
const server = createServer(({ url }, response) => {
  const isScript = url === '/app.js';
  const page = '<!doctype html><meta charset="utf-8"><title>Tasks</title><link rel="icon" href="data:,"><main></main><script type="module" src="/app.js"></script>';
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html').end(isScript ? script : page);
});
await new Promise((done) => server.listen(PORT, '127.0.0.1', done));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let failed = 0;
for (const program of only ? [only] : PROGRAMS) {
  const began = Date.now();
  script = await bundle(program);
  const problem = await run(browser, program).then(() => null, (error) => error);
  console.log(`${program}: ${problem ?? 'works in two windows, with the network cut'} (${Math.round((Date.now() - began) / 1000)} s)`);
  failed += problem ? 1 : 0;
}
await browser.close();
server.closeAllConnections();
server.close();
process.exit(failed ? 1 : 0);
