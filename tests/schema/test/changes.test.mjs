// `changes.mjs` in repositories with and without releases.

import { deepEqual, match } from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { changes, listed } from '../changes.mjs';

const script = fileURLToPath(new URL('../changes.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'schema-'));
after(() => rmSync(folder, { recursive: true }));

const SCHEMA = `
  type Query { tasks(first: Int, limit: Int @deprecated(reason: "Use \`first\`.")): [Task!]!, old: Old @deprecated(reason: "Use \`tasks\`.") }
  type Task { id: ID!, title: String!, dueOn: String, due: String @deprecated(reason: "Use \`dueOn\`."), priority(of: Filter): Priority }
  type Old { id: ID! }
  enum Priority { HIGH LOW URGENT @deprecated(reason: "Use \`HIGH\`.") }
  input Filter { title: String, text: String @deprecated(reason: "Use \`title\`.") }
`;
const CHANGELOG = '# Changelog\n\n## Unreleased\n\n## 0.2.0\n\n### Breaking changes\n- `Task.title`\n\n## 0.1.0\n';

let count = 0;
const git = (cwd, ...words) =>
  execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'commit.gpgsign=false', ...words], { cwd, stdio: 'pipe' });

/** A repository whose releases have these tags. */
function repository(tags, changelog = CHANGELOG) {
  const cwd = join(folder, `${(count += 1)}`);
  mkdirSync(cwd);
  git(cwd, 'init', '--quiet');
  commit(cwd, SCHEMA, changelog);
  for (const tag of tags) git(cwd, 'tag', tag);
  return cwd;
}

function commit(cwd, schema, changelog = CHANGELOG) {
  writeFileSync(join(cwd, 'schema.graphql'), schema);
  writeFileSync(join(cwd, 'CHANGELOG.md'), changelog);
  git(cwd, 'add', '.');
  git(cwd, 'commit', '--quiet', '--allow-empty', '--message', 'Change');
}

function run(cwd) {
  const { status, stdout, stderr } = spawnSync('node', [script], { cwd, encoding: 'utf8' });
  return { status, text: stdout + stderr, breaking: stdout.split('\n').filter((line) => line.startsWith('BREAKING')).map((line) => line.split(/[ :]+/)[1]) };
}

/** The result after a release if a part of the schema has changed. */
function changed(from, to, changelog) {
  const cwd = repository(['v0.2.0']);
  const schema = SCHEMA.replace(from, to);
  if (schema === SCHEMA) throw new Error(`${from} is not in the schema`);
  commit(cwd, schema, changelog);
  return run(cwd);
}

for (const [name, from, to] of [
  ['a field', 'title: String!,', ''],
  ['an argument', 'first: Int,', ''],
  ['a value of an enum', 'LOW ', ''],
  ['an input field', '{ title: String,', '{'],
  ['a field with an argument', ', priority(of: Filter): Priority', ''],
]) {
  test(`the removal of ${name} fails`, () => {
    const { status, breaking } = changed(from, to);
    deepEqual([status, breaking.length], [1, 1], String(breaking));
  });
}

for (const [name, from, to] of [
  ['a field', 'due: String @deprecated(reason: "Use `dueOn`."),', ''],
  ['an argument', ', limit: Int @deprecated(reason: "Use `first`.")', ''],
  ['a value of an enum', ' URGENT @deprecated(reason: "Use `HIGH`.")', ''],
  ['an input field', ', text: String @deprecated(reason: "Use `title`.")', ''],
]) {
  test(`the removal of ${name} that the release had deprecated passes`, () => {
    const { status, text } = changed(from, to);
    deepEqual(status, 0, text);
    match(text, /[1-9] changes since v0\.2\.0; 0 unexpected/);
  });
}

test('a type can be removed with the deprecated field that returned it', () => {
  const cwd = repository(['v0.2.0']);
  const old = ', old: Old @deprecated(reason: "Use `tasks`.")';
  commit(cwd, SCHEMA.replace(old, '').replace('type Old { id: ID! }', ''));
  deepEqual(run(cwd).status, 0);
});

/** The paths of the breaking changes between two schemas. */
async function breaking(before, after) {
  return (await changes(before, after)).filter((change) => change.breaking).map(({ path }) => path);
}

for (const [name, before, member, path] of [
  ['a field of a type', 'type Query { new: ID, old: Old @deprecated(reason: "Use `new`.") } type Old { a: ID, b: ID }', ', b: ID', 'Old.b'],
  ['a value of an enum', 'type Query { new: ID, old: Old @deprecated(reason: "Use `new`.") } enum Old { A B }', ' B', 'Old.B'],
  ['an input field', 'type Query { all(old: Old @deprecated(reason: "No replacement: unused.")): ID } input Old { a: ID, b: ID }', ', b: ID', 'Old.b'],
  ['an argument', 'type Query { new: ID, old(a: ID, b: ID): ID @deprecated(reason: "Use `new`.") }', ', b: ID', 'Query.old.b'],
]) {
  test(`the removal of ${name} that is not deprecated itself fails, even if clients use it only through a deprecated member`, async () => {
    deepEqual(await breaking(before, before), []);
    deepEqual(await breaking(before, before.replace(member, '')), [path]);
  });
}

test('a type can be removed only with the deprecated fields that can return it', async () => {
  const before = `
    type Query { new: ID, old: Node @deprecated(reason: "Use \`new\`.") }
    interface Node { id: ID }
    type Task implements Node { id: ID }
    type Tag implements Node { id: ID }`;
  deepEqual(await breaking(before, before.replace('type Tag implements Node { id: ID }', '')), ['Tag']);
  deepEqual(await breaking(before, 'type Query { new: ID }'), []);
});

for (const [name, before, from, to, path] of [
  ['an argument', 'type Query { all(x: Int! = 1): ID }', ' = 1', '', 'Query.all.x'],
  ['an argument', 'type Query { all(x: Int = 1): ID }', '= 1', '= 2', 'Query.all.x'],
  ['an input field', 'type Query { all(i: I): ID } input I { x: Int! = 1 }', ' = 1', '', 'I.x'],
  ['an input field', 'type Query { all(i: I): ID } input I { x: Int = 1 }', '= 1', '= 2', 'I.x'],
  ['an argument of a directive', 'directive @d(x: Int! = 1) on FIELD type Query { all: ID }', ' = 1', '', '@d.x'],
]) {
  test(`a default value of ${name} must not ${to ? 'change' : 'be removed'}`, async () => {
    deepEqual(await breaking(before, before.replace(from, to)), [path]);
  });
}

test('the changelog can list the paths of directives', async () => {
  const before = 'directive @d on FIELD type Query { all(i: I): ID } input I { x: Int }';
  const paths = await breaking(before, 'type Query { all(i: I): ID } input I @oneOf { x: Int }');
  deepEqual(paths.toSorted(), ['@d', 'I.@oneOf']);
  const changelog = '## Unreleased\n\n### Breaking changes\n- `@d` is removed, and `I.@oneOf` is added.\n';
  deepEqual([...listed(changelog, '0.1.0')], ['@d', 'I.@oneOf']);
});

test('a field that was deprecated after the release cannot be removed yet', () => {
  const cwd = repository(['v0.2.0']);
  commit(cwd, SCHEMA.replace('title: String!,', 'title: String! @deprecated(reason: "Use `id`."),'));
  deepEqual(run(cwd).status, 0);
  commit(cwd, SCHEMA.replace('title: String!,', ''));
  deepEqual(run(cwd).breaking, ['Task.title']);
});

test('a deprecated field must not change its type', () => {
  const { status, breaking } = changed('due: String @', 'due: Int @');
  deepEqual([status, breaking], [1, ['Task.due']]);
});

test('additions pass', () => {
  const { status, text } = changed('type Old {', 'type Old { name: String, ');
  deepEqual(status, 0);
  match(text, /ok +Old\.name: /);
});

test('a required argument is a breaking change', () => deepEqual(changed('(first: Int,', '(first: Int, of: ID!,').status, 1));

test('the changelog lists expected breaking changes above the release', () => {
  const listing = (section) => `# Changelog\n\n## Unreleased\n\n### ${section}\n- \`Task.title\` is gone.\n\n## 0.2.0\n\n## 0.1.0\n`;
  deepEqual(changed('title: String!,', '', listing('Breaking changes')).status, 0);
  deepEqual(changed('title: String!,', '', listing('Removed')).status, 1);
  // The section of the release itself, in CHANGELOG, does not count.
  deepEqual(changed('title: String!,', '', CHANGELOG).status, 1);
  const released = listing('Breaking changes').replace('## Unreleased', '## Unreleased\n\n## 0.3.0');
  deepEqual(changed('title: String!,', '', released).status, 0);
});

test('the newest release in the history counts, and pre-releases do not', () => {
  const cwd = repository(['v0.9.0', 'v0.10.0-rc.1']);
  const without = SCHEMA.replace('title: String!,', '');
  commit(cwd, without);
  match(run(cwd).text, /since v0\.9\.0; 1 unexpected/);
  git(cwd, 'tag', 'v0.10.0');
  match(run(cwd).text, /^0 changes since v0\.10\.0; 0 unexpected/);
  git(cwd, 'tag', 'v1.0.0-rc.1');
  match(run(cwd).text, /^0 changes since v0\.10\.0/);
});

test('without a release, nothing is compared', () => {
  const { status, text } = run(repository([], '# Changelog\n\n## Unreleased\n'));
  deepEqual(status, 0);
  match(text, /no release yet/);
  deepEqual(run(repository([], '# Changelog\n\n## Unreleased\n\n## 0.1.0\n')).status, 0);
});

test('a clone that lacks the tags fails', () => {
  const cwd = repository(['v0.2.0']);
  commit(cwd, SCHEMA.replace('title: String!,', ''));
  const clone = (name, ...options) => {
    const target = join(cwd, name);
    git(folder, 'clone', '--quiet', ...options, `file://${cwd}`, target);
    return run(target);
  };
  const shallow = clone('shallow', '--depth=1');
  deepEqual(shallow.status, 2);
  match(shallow.text, /git fetch --unshallow --tags/);
  const untagged = clone('untagged', '--no-tags');
  deepEqual(untagged.status, 2);
  match(untagged.text, /git fetch --tags/);
  deepEqual(clone('whole').status, 1);
});

test('outside a repository, it fails', () => deepEqual(run(folder).status, 2));
