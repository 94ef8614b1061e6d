// Blocks of settings, which the service itself reads: `ini` is a `.env` file, `toml` is a file of external identity providers.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const inherited = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SNAPNOTE|DATABASE|AWS|OTEL)_/.test(name)));

/**
 * Resolves if `snapnote check` accepts the settings. Ends the command then: it would go on to connect to the database.
 * @param data The data folder of the running service, so that the command starts no other database.
 */
export async function checkSettings(program, data, { language, text }) {
  const folder = mkdtempSync(join(tmpdir(), 'snapnote-settings-'));
  writeFileSync(join(folder, language === 'ini' ? '.env' : 'issuers.toml'), text);
  const env = { ...inherited(), SNAPNOTE_EMBEDDED: 'true', SNAPNOTE_DATA_DIR: data };
  if (language === 'toml') env.SNAPNOTE_ISSUERS = join(folder, 'issuers.toml');
  const child = spawn(program, ['check'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  try {
    const isAccepted = await new Promise((done, failed) => {
      const more = (data) => {
        output += data;
        if (/^✓ settings/m.test(output)) done(true);
      };
      child.stdout.on('data', more);
      child.stderr.on('data', more);
      child.on('error', failed);
      child.on('close', () => done(/^✓ settings/m.test(output)));
    });
    if (!isAccepted) throw new Error(`the service rejects the settings:\n${output}`);
  } finally {
    if (child.exitCode === null) {
      const ended = new Promise((done) => child.on('close', done));
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
