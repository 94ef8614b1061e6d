// Builds the manifests of trusted documents with the tool of each client, into `built`. `node build.mjs --save` also copies them to
// `manifests`, which the tests of the service read.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
export const built = (name) => new URL(`built/${name}`, import.meta.url);
export const manifests = ['codegen.json', 'relay.json', 'apollo.json'];

export function build() {
  const run = (tool, ...options) =>
    execFileSync(fileURLToPath(new URL(`../node_modules/.bin/${tool}`, import.meta.url)), options, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  rmSync(built(''), { recursive: true, force: true });
  mkdirSync(built('relay'), { recursive: true });
  // relay-compiler keeps the entries of an existing file.
  writeFileSync(built('relay.json'), '{}');
  run('graphql-codegen', '--config', 'codegen.mjs');
  copyFileSync(built('codegen/persisted-documents.json'), built('codegen.json'));
  run('relay-compiler', 'relay.config.json');
  run('generate-persisted-query-manifest');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  build();
  if (process.argv.includes('--save')) {
    for (const name of manifests) copyFileSync(built(name), new URL(`manifests/${name}`, import.meta.url));
  }
}
