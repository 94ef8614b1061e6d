// What Node lacks of a browser: IndexedDB, and Web Locks within this process.

import 'fake-indexeddb/auto';

class Locks {
  private readonly tails = new Map<string, Promise<unknown>>();

  request(name: string, ...rest: unknown[]): Promise<unknown> {
    const action = rest.at(-1) as () => Promise<unknown>;
    const { signal } = (rest.length > 1 ? rest[0] : {}) as { signal?: AbortSignal };
    const before = this.tails.get(name) ?? Promise.resolve();
    const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError'))));
    aborted.catch(() => {});
    const started = before.then(() => (signal?.aborted ? undefined : action()));
    this.tails.set(name, started.catch(() => {}));
    return Promise.race([started, before.then(() => started), aborted.catch((error) => before.then(() => started).then(() => Promise.reject(error)))]);
  }
}

Object.defineProperty(globalThis, 'navigator', { value: { locks: new Locks() }, configurable: true });
