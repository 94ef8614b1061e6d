// Compares schema.graphql with the schema of the last release: that of the newest tag such as `v1.2.3` in the history of HEAD. Prints the
// changes, and fails if one can break a client, unless
// - it removes something that the release had deprecated, or
// - CHANGELOG.md names its path, such as `Task.dueOn`, under "### Breaking changes" above the release.
// Run it anywhere in the repository. Exit codes: 0 no unexpected breaking change, or no release yet; 1 breaking changes; 2 the release
// cannot be found or read.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { pruneSchema } from '@graphql-tools/utils';
import { buildASTSchema, buildSchema, Kind, parse, visit } from 'graphql';

const MEMBERS = [Kind.FIELD_DEFINITION, Kind.INPUT_VALUE_DEFINITION, Kind.ENUM_VALUE_DEFINITION];

/** The schema without what is deprecated, and without types that are not used then. */
function withoutDeprecated(sdl) {
  const isDeprecated = (node) => MEMBERS.includes(node.kind) && node.directives.some(({ name }) => name.value === 'deprecated');
  const document = visit(parse(sdl), { enter: (node) => (isDeprecated(node) ? null : undefined) });
  return pruneSchema(buildASTSchema(document, { assumeValid: true, assumeValidSDL: true }));
}

/** The changes between two schemas: `{ path, message, breaking }`. */
export async function changes(before, after) {
  const [served, release] = [buildSchema(after), buildSchema(before)];
  const isBreaking = ({ criticality }) => criticality.level === CriticalityLevel.Breaking;
  const key = ({ type, path }) => `${type} ${path}`;
  const withoutNotice = new Set((await diff(withoutDeprecated(before), served)).filter(isBreaking).map(key));
  return (await diff(release, served)).map((change) => {
    const isAnnounced = change.type.endsWith('REMOVED') && !withoutNotice.has(key(change));
    return { path: change.path ?? 'schema', message: change.message, breaking: isBreaking(change) && !isAnnounced };
  });
}

/** The paths that CHANGELOG.md names under "Breaking changes" above a version, or in its first section if it does not name the version. */
export function listed(changelog, version) {
  const sections = changelog.split(/^(?=## )/m).filter((section) => section.startsWith('## '));
  const of = (section) => section.split('\n', 1)[0].match(/\d+\.\d+\.\d+/)?.[0];
  const at = sections.findIndex((section) => of(section) === version);
  const parts = sections.slice(0, at < 0 ? 1 : at).flatMap((section) => section.split(/^(?=### )/m));
  const breaking = parts.filter((part) => /^### Breaking changes\s*$/m.test(part.split('\n', 1)[0]));
  return new Set(breaking.flatMap((part) => [...part.matchAll(/`([\w.]+)`/g)].map(([, path]) => path)));
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
