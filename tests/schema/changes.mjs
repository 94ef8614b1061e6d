// Compares schema.graphql with the schema of the last release: that of the newest tag such as `v1.2.3` in the history of HEAD. Prints the
// changes, and fails if one can break a client, unless
// - it removes a member that the release had deprecated, or a type that only such removed members used, or
// - CHANGELOG.md names its path, such as `Task.dueOn`, under "### Breaking changes" above the release.
// Run it anywhere in the repository. Exit codes: 0 no unexpected breaking change, or no release yet; 1 breaking changes; 2 the release
// cannot be found or read.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { ChangeType, CriticalityLevel, diff } from '@graphql-inspector/core';
import { pruneSchema } from '@graphql-tools/utils';
import { buildASTSchema, buildSchema, Kind, parse, visit } from 'graphql';

const MEMBERS = [Kind.FIELD_DEFINITION, Kind.INPUT_VALUE_DEFINITION, Kind.ENUM_VALUE_DEFINITION];

/** The field, argument, input field or enum value at a path such as `Task.dueOn`; undefined if there is none. */
function member(schema, path) {
  const [typeName, name, argument] = path.split('.');
  const type = schema.getType(typeName);
  const found = type?.getFields?.()[name] ?? type?.getValue?.(name);
  return argument ? found?.args?.find((one) => one.name === argument) : found;
}

const isDeprecated = (schema, path) => member(schema, path)?.deprecationReason !== undefined;

/** The types of a release that clients can use without the deprecated members that are removed from the served schema. */
function typesInUse(sdl, release, served) {
  const isRemoved = (path) => isDeprecated(release, path) && !member(served, path);
  const pathOf = (node, ancestors) => [...ancestors, node].flatMap(({ name }) => name?.value ?? []).join('.');
  const enter = (node, _key, _parent, _path, ancestors) =>
    MEMBERS.includes(node.kind) && isRemoved(pathOf(node, ancestors)) ? null : undefined;
  return pruneSchema(buildASTSchema(visit(parse(sdl), { enter }), { assumeValid: true, assumeValidSDL: true })).getTypeMap();
}

/** The changes between two schemas: `{ path, message, breaking }`. */
export async function changes(before, after) {
  const [served, release] = [buildSchema(after), buildSchema(before)];
  const used = typesInUse(before, release, served);
  // The library calls a changed default value only dangerous. But if it is removed, clients that omit a required value fail.
  const isBreaking = ({ type, criticality }) =>
    criticality.level === CriticalityLevel.Breaking || /_DEFAULT(_VALUE)?_CHANGED$/.test(type);
  // A removed member is announced only by its own deprecation: clients can still use the other members of a type that only deprecated
  // members return.
  const isAnnounced = ({ type, path }) =>
    type === ChangeType.TypeRemoved ? !(path in used) : type.endsWith('REMOVED') && isDeprecated(release, path ?? '');
  return (await diff(release, served)).map((change) => ({
    path: change.path ?? 'schema',
    message: change.message,
    breaking: isBreaking(change) && !isAnnounced(change),
  }));
}

/** The paths that CHANGELOG.md names under "Breaking changes" above a version, or in its first section if it does not name the version. */
export function listed(changelog, version) {
  const sections = changelog.split(/^(?=## )/m).filter((section) => section.startsWith('## '));
  const of = (section) => section.split('\n', 1)[0].match(/\d+\.\d+\.\d+/)?.[0];
  const at = sections.findIndex((section) => of(section) === version);
  const parts = sections.slice(0, at < 0 ? 1 : at).flatMap((section) => section.split(/^(?=### )/m));
  const breaking = parts.filter((part) => /^### Breaking changes\s*$/m.test(part.split('\n', 1)[0]));
  return new Set(breaking.flatMap((part) => [...part.matchAll(/`([@\w.]+)`/g)].map(([, path]) => path)));
}

const git = (...words) => execFileSync('git', words, { encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** The newest release tag in the history of HEAD; undefined if there is no release. Pre-releases such as `v1.0.0-rc.1` are no releases. */
function lastRelease(changelog) {
  const tags = git('tag', '--merged', 'HEAD', '--sort=-version:refname', '--list', 'v*').split('\n');
  const tag = tags.find((one) => /^v\d+\.\d+\.\d+$/.test(one));
  if (tag) return tag;
  if (git('rev-parse', '--is-shallow-repository') === 'true') {
    throw new Error('This clone is shallow and has no release tag, so the last release is unknown. Run `git fetch --unshallow --tags`.');
  }
  // The commit of a first release has its section before it has its tag.
  const releases = changelog.match(/^## .*\d+\.\d+\.\d+/gm) ?? [];
  if (releases.length > 1) throw new Error('CHANGELOG.md names releases, but there is no release tag. Run `git fetch --tags`.');
  return undefined;
}

async function main() {
  const root = git('rev-parse', '--show-toplevel');
  const read = (name) => readFileSync(`${root}/${name}`, 'utf8');
  const tag = lastRelease(read('CHANGELOG.md'));
  if (!tag) {
    console.log('There is no release yet, so schema.graphql is not compared.');
    return 0;
  }
  const all = await changes(git('show', `${tag}:schema.graphql`), read('schema.graphql'));
  const expected = listed(read('CHANGELOG.md'), tag.slice(1));
  const unexpected = all.filter(({ path, breaking }) => breaking && !expected.has(path));
  for (const { path, message, breaking } of all) {
    const kind = !breaking ? 'ok' : expected.has(path) ? 'listed' : 'BREAKING';
    console.log(`${kind.padEnd(9)} ${path}: ${message}`);
  }
  console.log(`${all.length} changes since ${tag}; ${unexpected.length} unexpected breaking changes.`);
  if (unexpected.length === 0) return 0;
  console.error('Deprecate first, and remove in a later release. If clients must break now, name each path in backticks in CHANGELOG.md, under');
  console.error(`"### Breaking changes" of the unreleased section: ${unexpected.map(({ path }) => `\`${path}\``).join(', ')}`);
  return 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(`schema.graphql cannot be compared: ${error.stderr || error.message}`);
    process.exitCode = 2;
  }
}
