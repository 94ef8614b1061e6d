// Follows docs/quick-start.md and the first program of docs/live.md as a reader does, outside the repository: `npm create vite`, `npm pack` of
// the client package, `npm install`, Vite, and Chromium. It downloads the newest Vite. What the programs log must be what the pages say.
// SNAPNOTE is the service's program (target/debug/snapnote by default), CHROMIUM the browser. packages/client must be installed.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start, target } from '../service.mjs';
import { blocksOf } from './blocks.mjs';
import { matches } from './compare.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { chromium } = createRequire(join(root, 'packages/client/package.json'))('playwright-core');
const USER = { Email: 'grace@example.com', Password: 'correct horse battery' };
/** How long anything may take. It is long, because a machine may be busy. */
const PATIENCE_MS = 120_000;

const [quickStart, live] = ['docs/quick-start.md', 'docs/live.md'].map((page) => blocksOf(root, page));
const blocksIn = (blocks, language) => blocks.filter((block) => block.language === language);
const folder = mkdtempSync(join(tmpdir(), 'snapnote-quick-start-'));
const app = join(folder, 'my-app');

/** Runs the commands of a block that contain a text. */
function run(blocks, part, cwd) {
  const block = blocksIn(blocks, 'sh').find(({ text }) => text.includes(part));
  if (!block) throw new Error(`no block has \`${part}\``);
  const env = { ...process.env, npm_config_yes: 'true', npm_config_loglevel: 'error' };
  execFileSync('bash', ['-euc', block.text.replaceAll('YOUR_APP', app)], { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Starts Vite. Returns its process and its address. */
async function serve() {
  const vite = spawn(process.execPath, ['node_modules/vite/bin/vite.js'], { cwd: app, env: { ...process.env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  let timer;
  const address = new Promise((done, failed) => {
    vite.stdout.on('data', (data) => {
      printed += data;
      const [url] = /http:\/\/localhost:\d+/.exec(printed) ?? [];
      if (url) done(url);
    });
    vite.once('error', failed);
    vite.once('exit', () => failed(new Error(`Vite ended: ${printed}`)));
    timer = setTimeout(() => failed(new Error(`Vite printed no address within ${PATIENCE_MS / 1000} s: ${printed}`)), PATIENCE_MS);
  });
  try {
    return { vite, address: await address };
  } catch (error) {
    vite.kill();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Opens the app with a program, and waits for what the program logs according to its comments. */
async function show(context, address, program) {
  const logged = [];
  const expected = [...program.matchAll(/^ *console\.log\(.*\); +\/\/ (.*)$/gm)].map(([, value]) => value);
  if (expected.length === 0) throw new Error('the program logs nothing');
  writeFileSync(join(app, 'src/main.ts'), program);
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'log' && logged.push(message.text()));
  page.on('pageerror', (error) => logged.push(error.message));
  page.on('dialog', (dialog) => void dialog.accept(USER[dialog.message()]));
  await page.goto(address);
  for (const end = Date.now() + PATIENCE_MS; logged.length < expected.length && Date.now() < end; ) await new Promise((done) => setTimeout(done, 50));
  // Vite reloads the page if it has found a new dependency, so the program may have run twice.
  const last = logged.slice(-expected.length);
  if (last.length < expected.length || !expected.every((value, index) => matches(value, last[index]))) {
    throw new Error(`the program logged ${JSON.stringify(logged)}, the page says ${JSON.stringify(expected)}`);
  }
  await page.close();
}

let service, vite, browser;
try {
  service = await start(resolve(process.env.SNAPNOTE ?? join(target(), 'debug/snapnote')));
  run(quickStart, 'npm create vite', folder);
  run(quickStart, 'npm pack', root);
  run(quickStart, 'npm install ./', app);
  run(live, 'npm install graphql-ws', app);
  const [signUp] = blocksIn(quickStart, 'graphql');
  const [variables] = blocksIn(quickStart, 'json');
  const body = JSON.stringify({ query: signUp.text, variables: JSON.parse(variables.text) });
  await fetch(service.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const substitute = (text) => text.replaceAll('127.0.0.1:8080', new URL(service.url).host);
  const programs = blocksIn(quickStart, 'ts');
  for (const { name, text } of programs) if (name) writeFileSync(join(app, 'src', name), substitute(text));
  const [first, examples] = programs.filter(({ name }) => !name).map(({ text }) => text);
  const [subscription] = blocksIn(live, 'ts').map(({ text }) => substitute(text));
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  const served = await serve();
  vite = served.vite;
  for (const program of [first, first + examples, subscription]) await show(context, served.address, program);
  console.log('The quick start works in Chromium.');
} finally {
  await browser?.close();
  vite?.kill();
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
