// Removes each rule of the client in turn and runs a check, which must fail:
//   node scripts/rules.mjs storm URL SEED…   the storm of examples/offline, against a live service
//   node scripts/rules.mjs test              the unit tests
//   node scripts/rules.mjs                   checks that the sources contain the rules
// Prints a table, and exits with 1 if a removal was not noticed. It works in a copy of the sources. The check must pass with all rules.
// RULES='a new refresh token|lists' selects rules by their names.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The rules: the file, the code, and the code without the rule. */
const RULES = [
  ['items that are older than the local one are ignored', 'replica.ts', '&& item.version > (items.get(item.id)?.version ?? 0);', ';'],
  ['deleted items stay deleted', 'replica.ts', 'this.deletedIds.has(id) || removed.has(id)', 'removed.has(id)'],
  ['a trashed or deleted tag leaves its items', 'replica.ts', 'if (tags.length === 0) return batch;', 'return batch;'],
  ['the cursor is read before the lists', 'sync.ts', 'await this.commit({ replaceAll: true, put, cursor: changesCursor });',
    'const late = await this.remote.call<CursorQuery>(CURSOR, {}, stop);\n    await this.commit({ replaceAll: true, put, cursor: late.changesCursor || changesCursor });'],
  ['the cursor is stored with the change', 'sync.ts', 'await this.commit({ put: [...put.values()], remove: [...remove], dequeue, cursor });',
    'await this.commit({ cursor });\n    await this.commit({ put: [...put.values()], remove: [...remove], dequeue });'],
  ['reading everything removes other items', 'sync.ts', 'replaceAll: true, ', ''],
  ['a restored tag is followed by reading everything', 'sync.ts', 'if (changes.some(isRestoredTag))', 'if (changes.some(isRestoredTag) && false)'],
  ['an expired cursor is followed by reading everything', 'sync.ts', "if (code === 'CURSOR_EXPIRED') {", "if (code === 'CURSOR_EXPIRED' && false) {"],
  ['lists include the trash', 'documents.ts', 'filter: { status: null }', 'filter: {}'],
  ['the feed confirms entries whose response was lost', 'sync.ts', 'outbox.filter((entry) => changes.some((change) => hasSucceeded(entry, change)))', 'outbox.filter(() => false)'],
  ['only changes after the sending confirm an entry', 'outbox.ts', "&& (entry.kind === 'delete' || change.version > entry.sent)", ''],
  ['only sent entries are confirmed by the feed', 'outbox.ts', 'entry.sent === undefined || entry.id !== change.itemId', 'entry.id !== change.itemId'],
  ['an entry is marked as sent before its request', 'sync.ts', 'return entry ? { enqueue: [{ ...entry, sent: here?.version ?? 0 }] } : {};', 'return {};'],
  ['a sent update absorbs no later one', 'outbox.ts', ' && last.sent === undefined', ''],
  ['the oldest value stays the base of an absorbed update', 'outbox.ts', '{ ...update.base, ...open?.base }', '{ ...open?.base, ...update.base }'],
  ['an update that changes nothing is removed', 'outbox.ts', 'if (Object.keys(fields).length === 0) return', 'if (Object.keys(fields).length < 0) return'],
  ['a field that has the value already is not sent', 'outbox.ts', 'if (same(field, theirs, mine)) continue;', ''],
  ['a field that changed elsewhere is a conflict', 'outbox.ts', 'if (same(field, theirs, base)) fields[field] = mine;', 'if (same(field, theirs, base) || !same(field, theirs, mine)) fields[field] = mine;'],
  ['updates have a version', 'sync.ts', 'version: here?.version, ', ''],
  ['a resolved conflict has their value as its base', 'sync.ts', 'resolved.base[field] = conflict.theirs;', ''],
  ['after CONFLICT an entry counts as not sent', 'sync.ts', 'await this.commit({ put, ...(entry.sent === undefined && { enqueue: [entry] }) });', 'await this.commit({ put });'],
  ['after CONFLICT an entry stays sent if an earlier response was lost', 'sync.ts', '...(entry.sent === undefined && { enqueue: [entry] })',
    'enqueue: [(({ sent: _, ...unsent }) => unsent)(entry) as Entry]'],
  ['a value may be applied if a response was lost', 'outbox.ts', 'update.sent !== undefined && item.version > update.sent + 1', 'false'],
  ['a create that is TAKEN has succeeded', 'outbox.ts', "item !== undefined || codes.includes('TAKEN')", 'item !== undefined'],
  ['a tag whose name is TAKEN is rejected', 'sync.ts', "code === 'TAKEN' && field?.at(-1) !== 'id' ? 'NAME_TAKEN' : code", 'code'],
  ['a trash that is rejected may be achieved', 'outbox.ts', "return item?.status !== 'ACTIVE';", 'return false;'],
  ['a restore that is rejected may be achieved', 'outbox.ts', "return item?.status === 'ACTIVE';", 'return false;'],
  ['a deletion that is rejected may be achieved', 'outbox.ts', 'return item === undefined;', 'return false;'],
  ['a rejected create removes all entries of its item', 'sync.ts', "|| (entry.kind === 'create' && id === entry.id)", ''],
  ['entries after a rejected update are rebased', 'sync.ts', 'rest.map((one) => rebase(one, entry))', '[]'],
  ['a rejected entry leaves the outbox', 'sync.ts', 'PERMANENT_ERRORS.includes(error.code)', 'false'],
  ['a failure ends sending and receiving', 'sync.ts', 'failing.abort(error);\n      this.wake();', 'if (error instanceof StoreFailed || stop.aborted) failing.abort(error);\n      setTimeout(() => failing.abort(error), 3_000);\n      this.wake();'],
  ['missed changes are read before the outbox is sent', 'sync.ts', '    await this.receive(changes.nodes, changes.pageInfo.endCursor);', '    await this.commit({ cursor: changes.pageInfo.endCursor });'],
  ['times are compared as instants', 'items.ts', "if (field === 'due' && isTime(one) && isTime(other)) return Date.parse(one) === Date.parse(other);", ''],
  ['tags are compared without their order', 'items.ts', "if (field === 'tagIds' && Array.isArray(one)", 'if (false && Array.isArray(one)'],
  ['JSON is compared without the order of keys', 'items.ts', 'return JSON.stringify(value ?? null, sorted);', 'return JSON.stringify(value ?? null, sorted && undefined);'],
  ['a new refresh token is stored before it is used', 'session.ts', 'await this.options.store.save(state);\n    this.current = state;', 'this.current = state;\n    setTimeout(() => void this.options.store.save(state), 3_000);'],
  ['tokens are renewed before they expire', 'session.ts', '(exp - iat) * 800', '(exp - iat) * 8_000'],
  ['a rejected token is renewed', 'session.ts', 'state.accessToken !== rejected && !isLost', '!isLost'],
  ['a lost refresh is repeated in the background', 'session.ts', 'this.retry = setTimeout(() => void this.renew().catch(() => {}), pause);', ''],
];

const root = new URL('../../../', import.meta.url).pathname;
const [mode, ...rest] = process.argv.slice(2);
for (const [, file, code] of RULES) {
  const isThere = readFileSync(join(root, 'packages/client/src', file), 'utf8').split(code).length === 2;
  if (!isThere) throw new Error(`${file} must contain this once: ${code}`);
}
if (!mode) process.exit(0);
/** Which rules to remove: a regular expression for their names. */
const selected = new RegExp(process.env['RULES'] ?? '');
const copy = mkdtempSync(join(tmpdir(), 'snapnote-rules-'));
const [client, offline] = [join(copy, 'packages/client'), join(copy, 'examples/offline')];
for (const folder of ['packages/client', 'examples/offline']) {
  cpSync(join(root, folder), join(copy, folder), { recursive: true, filter: (path) => !path.includes('node_modules') });
  symlinkSync(join(root, folder, 'node_modules'), join(copy, folder, 'node_modules'));
}
// The example must use the copy of the package.
rmSync(join(offline, 'node_modules'));
const run = (command, ...args) => spawnSync(command, args, { encoding: 'utf8', timeout: 400_000 });
run('cp', '-a', join(root, 'examples/offline/node_modules'), offline);
rmSync(join(offline, 'node_modules/@snapnote/client'));
symlinkSync(client, join(offline, 'node_modules/@snapnote/client'));

function check() {
  if (mode === 'test') return spawnSync('node', ['scripts/test.mjs', 'outbox,sync,rejections,session'], { cwd: client, encoding: 'utf8', timeout: 300_000 });
  // Without a rule, the types may be wrong.
  for (const folder of [client, offline]) run(join(client, 'node_modules/.bin/tsc'), '-p', folder, '--noEmitOnError', 'false');
  return run('node', join(offline, 'dist/demo/storm.js'), ...rest);
}

const complete = check();
if (complete.status !== 0) throw new Error(`The check fails with all rules:\n${complete.stdout}${complete.stderr}`);
let unnoticed = 0;
for (const [name, file, code, without] of RULES) {
  if (!selected.test(name)) continue;
  const path = join(client, 'src', file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace(code, () => without));
  const began = Date.now();
  const { status, stdout, stderr } = check();
  writeFileSync(path, text);
  if (status === 0) unnoticed += 1;
  const why = mode === 'test' ? (stdout.match(/^not ok .*$|✖ .*$/m)?.[0] ?? '') : stderr.split('\n').find((line) => /^seed|^\S*Error/.test(line)) ?? '';
  console.log(`| ${name} | ${status === 0 ? 'NOT NOTICED' : 'noticed'} | ${Math.round((Date.now() - began) / 1000)} s | ${why.slice(0, 110)} |`);
}
rmSync(copy, { recursive: true });
console.log(`${unnoticed} removals were not noticed.`);
process.exit(unnoticed ? 1 : 0);
