// Blocks of commands. Those of one page run in one shell, in order, so that they share variables.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { difference } from './compare.mjs';
import { problemOf } from './graphql.mjs';

const END = 'END-OF-BLOCK';

/** Checks the syntax of commands that cannot run here. */
export function checkSyntax(text) {
  execFileSync('bash', ['-n'], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
}

/**
 * The packages that `npm install` and `pip install` name must be dependencies of the tests: in a lock file, or in requirements.txt. The
 * file of the client must be the one that `npm pack` writes.
 */
export function checkPackages(root, text) {
  const read = (file) => readFileSync(join(root, file), 'utf8');
  const locks = ['tests/clients', 'packages/client', 'examples/web'].map((folder) => JSON.parse(read(`${folder}/package-lock.json`)));
  const requirements = read('tests/clients/requirements.txt').split('\n').map((line) => line.split('==')[0]);
  const clients = ['@snapnote/client', `./snapnote-client-${JSON.parse(read('packages/client/package.json')).version}.tgz`];
  const isKnown = {
    npm: (name) => clients.includes(name) || locks.some(({ packages }) => `node_modules/${name}` in packages),
    pip: (name) => requirements.includes(name),
  };
  for (const line of text.trim().split('\n')) {
    const [program, , ...words] = line.replaceAll(/['"]/g, '').split(/ +/);
    const unknown = words.find((word) => !word.startsWith('-') && !isKnown[program](word));
    if (unknown) throw new Error(`${unknown} is not a dependency of the tests`);
  }
}
export const isInstallation = (text) => text.trim().split('\n').every((line) => /^(npm|pip) install [^;&|]+$/.test(line));

/** Commands that change the folders of the tests or take minutes, at the start of a line or after another command. */
const NOT_HERE = /(?:^|&&|;|\|\|)[ \t]*(?:\w+=\S* )*(cargo|npm (?:install|i|ci)|pip3? install)(?:\s|$)/m;

/** Writes a `curl` that fails if the status of the response is an error, as a page's own `--fail` does. It must be first in the PATH. */
export function writeCurl(folder) {
  const file = join(folder, 'curl');
  const script = ['#!/bin/sh', 'PATH=${PATH#*:}', 'case " $*" in', "  *' --fail'* | *' -f'*) exec curl \"$@\" ;;", 'esac', 'exec curl --fail-with-body "$@"'];
  writeFileSync(file, `${script.join('\n')}\n`);
  chmodSync(file, 0o755);
}

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
    const [, command] = NOT_HERE.exec(block.text) ?? [];
    if (command) throw new Error(`\`${command}\` does not run here; give installations a block of their own, or put \`<!-- not run: REASON -->\` above it`);
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
