// What the runners of the client matrix and of the documentation share: commands, and a service with an empty database.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a command, and resolves with its output. Rejects with its output if it fails or takes more than `seconds`. */
export function output(command, options, { cwd, seconds, env = process.env }) {
  return new Promise((done, failed) => {
    const child = spawn(command, options, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const timer = setTimeout(() => {
      text += `It did not finish within ${seconds} s.`;
      child.kill('SIGKILL');
    }, seconds * 1000);
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += data));
    child.on('error', (error) => failed(new Error(`${command} cannot be run: ${error.message}`)));
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) done(text.trim());
      else failed(new Error(`${[command, ...options].join(' ')} failed:\n${text}`));
    });
  });
}

/** The folder of Cargo's output. */
export function target() {
  const options = { cwd: root, maxBuffer: 2 ** 26 };
  return JSON.parse(execFileSync('cargo', ['metadata', '--format-version', '1', '--no-deps', '--offline'], options)).target_directory;
}

/** Starts the service, and resolves with its URL, its data folder, its process id, and a function that stops it. */
export async function start(program, settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'snapnote-clients-'));
  chmodSync(folder, 0o755); // PostgreSQL runs under another account if this runs as root.
  const data = join(folder, 'data');
  const env = { ...process.env, SNAPNOTE_EMBEDDED: 'true', SNAPNOTE_DATA_DIR: data, SNAPNOTE_LISTEN: '127.0.0.1:0', ...settings };
  const child = spawn(program, ['serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const ended = new Promise((done) => child.on('close', done));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const url = await new Promise((done, failed) => {
    const more = (text) => {
      log += text;
      const address = /^API +(http\S+)/m.exec(log)?.[1];
      if (address) done(address);
    };
    child.stdout.on('data', more);
    child.stderr.on('data', more);
    child.on('error', failed);
    void ended.then(() => failed(new Error(`the service ended:\n${log}`)));
    setTimeout(() => failed(new Error(`the service did not start within 300 s:\n${log}`)), 300_000).unref();
  });
  return { url, data, pid: child.pid, stop };
}
