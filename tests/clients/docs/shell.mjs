// Blocks of commands. Those of one page run in one shell, in order, so that they share variables.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { difference } from './compare.mjs';
import { problemOf } from './graphql.mjs';

const END = 'END-OF-BLOCK';

/** Checks the syntax of commands that cannot run here. */
export function checkSyntax(text) {
  execFileSync('bash', ['-n'], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
}

/** The packages that `npm install` names must be locked, in the folder of this runner's dependencies or in the client package. */
export function checkPackages(root, text) {
  const locks = ['tests/clients', 'packages/client', 'examples/web'].map((folder) => JSON.parse(readFileSync(join(root, folder, 'package-lock.json'), 'utf8')));
  const names = text.split('\n').flatMap((line) => line.split(' ').slice(2)).filter((word) => !word.startsWith('-'));
  const unknown = names.find((name) => name !== '@snapnote/client' && !locks.some(({ packages }) => `node_modules/${name}` in packages));
  if (unknown) throw new Error(`${unknown} is not a dependency of the tests`);
}
export const isInstallation = (text) => text.trim().split('\n').every((line) => line.startsWith('npm install '));

export class Shell {
  /** @param env The variables that commands find, such as TOKEN. */
  constructor(cwd, env) {
    this.cwd = cwd;
    this.child = spawn('bash', ['--norc', '-s'], { cwd, env: { ...process.env, ...env }, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => {}); // The shell has ended, which `end` reports.
    this.text = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) this.child[stream].on('data', (data) => (this.text[stream] += data));
  }

  /** Runs the commands of a block. The last response that it prints must be `expected`, if that is given. */
  async run(block, expected) {
    if (/^(\w+=\S* )*cargo /m.test(block.text)) throw new Error('it builds the service; put `<!-- not run: REASON -->` above it');
    const file = join(this.cwd, `${block.page.replaceAll('/', '-')}-${block.line}.sh`);
    writeFileSync(file, block.text);
    this.text = { stdout: '', stderr: '' };
    const printed = () => `${this.text.stdout.split(`\n${END}`)[0]}${this.text.stderr}`;
    // curl ends with 28 if it ends by its own time limit (`-m`).
    const trap = `trap 'code=$?; [ $code = 28 ] || failed="\${failed:-$BASH_COMMAND (exit code $code)}"' ERR`;
    this.child.stdin.write(`set -E -o pipefail; failed=; ${trap}\n. '${file}' </dev/null\necho "\n${END} $failed"\n`);
    const failed = await this.end();
    const responses = this.text.stdout.split('\n').map((line) => /^(?:data: ?)?(\{.*\})$/.exec(line)?.[1]).filter(Boolean).map(asJson).filter(Boolean);
    const problem = failed || (expected ? difference(expected, responses.at(-1)) : responses.map(problemOf).find(Boolean));
    if (problem) throw new Error(`${problem}\n${printed()}`);
  }

  async end() {
    const pattern = new RegExp(`^${END} (.*)$`, 'm');
    return new Promise((done, failed) => {
      const look = () => {
        const found = pattern.exec(this.text.stdout);
        if (!found) return;
        clearTimeout(timer);
        this.child.stdout.off('data', look);
        this.child.off('close', ended);
        done(found[1]);
      };
      const ended = () => (clearTimeout(timer), failed(new Error(`the shell ended:\n${this.text.stdout}${this.text.stderr}`)));
      const timer = setTimeout(() => {
        this.close();
        failed(new Error(`the commands did not end within 60 s:\n${this.text.stdout}${this.text.stderr}`));
      }, 60_000);
      this.child.stdout.on('data', look);
      if (this.child.exitCode === null && this.child.signalCode === null) this.child.on('close', ended);
      else ended();
    });
  }

  /** Ends the shell and its commands. */
  close() {
    if (this.child.exitCode === null && this.child.signalCode === null) process.kill(-this.child.pid, 'SIGKILL');
  }
}

function asJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
