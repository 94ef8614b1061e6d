// What Node lacks of a browser: IndexedDB, and Web Locks within this process.

import 'fake-indexeddb/auto';

class Locks {
  private readonly tails = new Map<string, Promise<unknown>>();

  request(name: string, ...rest: unknown[]): Promise<unknown> {
    const action = rest.at(-1) as () => Promise<unknown>;
    const { signal } = (rest.length > 1 ? rest[0] : {}) as { signal?: AbortSignal };
    let isGranted = false;
    const aborted = new Promise((_, reject) => {
      const abort = () => isGranted || reject(new DOMException('', 'AbortError'));
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort);
    });
    const before = this.tails.get(name) ?? Promise.resolve();
    const done = before.then(() => {
      if (signal?.aborted) return;
      isGranted = true;
      return action();
    });
    this.tails.set(name, done.catch(() => {}));
    return Promise.race([done, aborted]);
  }
}

Object.defineProperty(globalThis, 'navigator', { value: { locks: new Locks() }, configurable: true });
