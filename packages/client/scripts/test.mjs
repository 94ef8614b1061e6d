// Runs the unit tests: `npm test`, or `npm test -- session,tabs` for some files.

import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const [filter = '', ...rest] = process.argv.slice(2);
const root = new URL('../', import.meta.url).pathname;
const files = readdirSync(`${root}test`).filter((name) => name.endsWith('.test.ts') && filter.split(',').some((part) => name.includes(part)));
rmSync(`${root}build/test`, { recursive: true, force: true });
await build({
  entryPoints: files.map((name) => `${root}test/${name}`),
  outdir: `${root}build/test`,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  sourcemap: 'inline',
  // The package has no side effects, but its tests have.
  ignoreAnnotations: true,
  logLevel: 'warning',
});
const built = files.map((name) => `${root}build/test/${name.replace('.ts', '.js')}`);
const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', '--test-force-exit', '--test-timeout=600000', '--test-reporter=spec', ...rest, ...built], { stdio: 'inherit' });
process.exit(status ?? 1);
