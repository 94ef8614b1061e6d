// A session in a file that only its owner can read.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { SessionState, SessionStore } from '@snapnote/client';

export class FileSessionStore implements SessionStore {
  constructor(private readonly path: string) {}

  async load(): Promise<SessionState | null> {
    return existsSync(this.path) ? (JSON.parse(readFileSync(this.path, 'utf8')) as SessionState | null) : null;
  }

  async save(state: SessionState | null): Promise<void> {
    writeFileSync(`${this.path}.new`, JSON.stringify(state), { mode: 0o600 });
    renameSync(`${this.path}.new`, this.path);
  }
}
