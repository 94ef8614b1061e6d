// Runs the code blocks of the documentation. `node run.mjs [PAGE …]` runs those of some pages, for example `docs/errors.md`.
// SNAPNOTE is the service's program (target/debug/snapnote by default), SNAPNOTE_TESTS_PYTHON the Python that has gql (python3 by default).
// README.md in this folder has the rules.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start, target } from '../service.mjs';
import { blocksOf, checkMarker } from './blocks.mjs';
import { Database } from './database.mjs';
import { GraphqlRunner } from './graphql.mjs';
import { checkSyntax, Programs } from './programs.mjs';
import { checkSettings } from './settings.mjs';
import { checkPackages, checkSyntax as checkCommands, isInstallation, Shell, writeCurl } from './shell.mjs';
import { newUser } from './user.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = fileURLToPath(new URL('built/app', import.meta.url));
const python = process.env.SNAPNOTE_TESTS_PYTHON ?? 'python3';
const program = resolve(process.env.SNAPNOTE ?? join(target(), 'debug/snapnote'));
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' }).split('\n');
const PAGES = /^(README\.md|CONTRIBUTING\.md|docs\/.*\.md|packages\/[^/]+\/README\.md|examples\/[^/]+\/README\.md|tests\/clients\/.*README\.md|deploy\/.*\.md)$/;
/** Each block of this page has a mistake that must be found. */
const BROKEN = 'tests/clients/docs/broken.md';
const chosen = process.argv.slice(2);
const pages = tracked.filter((page) => (chosen.length ? chosen.includes(page) : PAGES.test(page) || page === BROKEN));
if (pages.length < Math.max(chosen.length, 1)) throw new Error(`there are no such pages: ${chosen.join(' ')}`);

const failures = [];
const counts = new Map();
const notRun = [];
const count = (how, blocks = 1) => counts.set(how, (counts.get(how) ?? 0) + blocks);
async function attempt(where, action) {
  try {
    const how = await action();
    if (how) count(how);
  } catch (error) {
    failures.push({ where, problem: error.stderr?.toString() || error.message });
  }
}

/** Runs one block, and returns how. Blocks of programs are run later. */
async function run(block, following, { user, shell, graphql, programs }) {
  const { language, marker, text, name, problem } = block;
  if (problem) throw new Error(problem);
  if (marker) {
    checkMarker(root, block);
    if (marker.kind === 'tested by') return `${language}: tested by another test`;
    await (language === 'sh' ? checkCommands(text) : checkSyntax(block, python));
    notRun.push(`${block.where} ${language}: ${marker.text}`);
    return undefined;
  }
  if (language === 'sh') {
    if (isInstallation(text)) return checkPackages(root, text), 'sh: names of packages that the tests install';
    await shell().run({ ...block, text: commands(text, user) }, expectedResponse(following));
    return 'sh: run by bash';
  }
  if (language === 'graphql') return `graphql: ${await graphql.document(block, following, user)}`;
  if (language === 'toml' || language === 'ini') return await checkSettings(program, service.data, block), `${language}: read by the service`;
  if (language === 'sql') return database.run(text), 'sql: run by psql';
  if (language === 'json') {
    if (name) return JSON.parse(text), 'json: files that commands read';
    if (block.isUsed) return 'json: variables and responses';
    if (await graphql.json(block, following, user)) return 'json: requests, executed';
  }
  if (programs.isModule(block) || language === 'python') return undefined;
  throw new Error(`there is no way to run ${language || 'a block without a language'}; fix it, or put \`<!-- not run: REASON -->\` above it`);
}

const isResponse = (value) => value !== null && typeof value === 'object' && ('data' in value || 'errors' in value || 'jsonrpc' in value);
const expectedResponse = ([next]) => (next && isResponse(JSON.parse(next.text)) ? JSON.parse(next.text) : undefined);
/** The blocks of JSON that belong to a document, a request or commands: they follow directly. */
function followingOf(blocks, index) {
  const following = [];
  for (const next of blocks.slice(index + 1, index + 3)) {
    if (next.language !== 'json' || next.name || next.marker) break;
    if (following.length === 0 && blocks[index].language !== 'graphql' && !isResponse(JSON.parse(next.text))) break;
    following.push(next);
  }
  return following;
}
const USES_JSON = new Set(['graphql', 'sh', 'json']);

const began = performance.now();
rmSync(join(folder, '..'), { recursive: true, force: true });
for (const name of ['bin', 'etc']) mkdirSync(join(folder, name), { recursive: true });
symlinkSync(program, join(folder, 'bin/snapnote'));
writeCurl(join(folder, 'bin'));
const service = await start(program, { SNAPNOTE_MCP: 'read', SNAPNOTE_LOG_FILTER_FILE: join(folder, 'etc/log') });
const origin = service.url.replace('/graphql', '');
/** Pages name a service on this machine, or an example in production. Both are the service of this run. */
const substitute = (text) => text
  .replaceAll(/https?:\/\/(127\.0\.0\.1:8080|localhost:8080|api\.example\.com)/g, origin)
  .replaceAll(/wss?:\/\/(127\.0\.0\.1:8080|localhost:8080|api\.example\.com)/g, origin.replace('http', 'ws'));
/** Commands of operators are about the user of the page, and write below the folder of this run. */
const commands = (text, user) => substitute(text)
  .replaceAll('/etc/snapnote/', `${folder}/etc/`)
  .replaceAll(/^snapnote .*$/gm, (line) => line.replaceAll('ada@example.com', user.email).replaceAll('/var/backups', `${folder}/backups`));
const database = new Database(service.data);
const graphql = new GraphqlRunner(root, service.url);
const programs = new Programs(root, folder, substitute);
const environment = (user) => ({
  PATH: `${folder}/bin:${process.env.PATH}`,
  TOKEN: user.token, PID: service.pid, SNAPNOTE_EMBEDDED: 'true', SNAPNOTE_DATA_DIR: service.data, SNAPNOTE_LISTEN: origin.replace('http://', ''),
});

async function runPage(page, blocks) {
  const user = await newUser(service.url);
  let shell;
  const tools = { user, graphql, programs, shell: () => (shell ??= new Shell(folder, environment(user))) };
  for (const [index, block] of blocks.entries()) {
    let following = [];
    await attempt(block.where, () => {
      following = USES_JSON.has(block.language) && !block.marker && !block.isUsed ? followingOf(blocks, index) : [];
      for (const next of following) next.isUsed = true;
      return run(block, following, tools);
    });
  }
  shell?.close();
  for (const language of ['ts', 'tsx', 'python']) {
    const parts = programs.writeProgram(page, blocks, language);
    if (parts.length === 0) continue;
    const [{ where }] = parts;
    sources.set(programs.nameOf(page, language), where);
    later.push(() => attempt(where, async () => {
      await programs.run(page, parts, user, { python });
      count(`${language}: parts of programs, run`, parts.length);
    }));
  }
}
/** Removes the failures of the broken page. A block of it without a failure is one. */
function checkBrokenPage(blocks) {
  const expected = blocks.filter(({ isUsed }) => !isUsed).map(({ where }) => where);
  const found = new Set(failures.map(({ where }) => where));
  const others = failures.filter(({ where }) => !expected.includes(where));
  failures.length = 0;
  failures.push(...others, ...expected.filter((where) => !found.has(where)).map((where) => ({ where, problem: 'the mistake was not found' })));
  if (expected.length) count('mistakes that had to be found, and were', expected.filter((where) => found.has(where)).length);
}

const later = [];
/** The blocks that files of this run come from. */
const sources = new Map();

try {
  const all = pages.map((page) => [page, blocksOf(root, page)]);
  for (const [, blocks] of all) programs.writeFiles(blocks);
  for (const [page, blocks] of all) if (blocks.length) await runPage(page, blocks);
  const modules = all.flatMap(([, blocks]) => blocks).filter((block) => !block.marker && block.name && programs.isModule(block));
  for (const { name, where } of modules) sources.set(name, where);
  const checking = attempt('types', async () => {
    const errors = await programs.typeErrors();
    for (const { file, error } of errors) failures.push({ where: sources.get(file) ?? file, problem: error });
    count('ts, tsx: files, with types checked', modules.length);
  });
  for (const action of later) await action();
  for (const { where, name } of modules) await attempt(where, async () => void (await programs.bundle(name)));
  await checking;
  checkBrokenPage(all.find(([page]) => page === BROKEN)?.[1] ?? []);
} finally {
  await service.stop();
}
for (const [how, blocks] of [...counts].sort()) console.log(`${String(blocks).padStart(4)}  ${how}`);
console.log(`${String(notRun.length).padStart(4)}  not run here:`);
for (const line of notRun) console.log(`      ${line}`);
for (const { where, problem } of failures) console.log(`\nFAILED ${where}: ${problem}`);
console.log(`${failures.length ? `${failures.length} failed` : 'The documentation holds'} (${((performance.now() - began) / 1000).toFixed(1)} s).`);
process.exit(failures.length ? 1 : 0);
