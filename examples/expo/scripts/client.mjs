// Builds @snapnote/client, which this app uses from its sources. `npm ci` runs it.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const client = new URL('../../../packages/client/', import.meta.url).pathname;
const npm = (...parameters) => execFileSync('npm', ['--prefix', client, ...parameters], { stdio: 'inherit', shell: process.platform === 'win32' });
if (!existsSync(`${client}node_modules`)) npm('ci', '--silent');
npm('run', '--silent', 'build');
