// Adds sw.js to the build: the service worker with the list of files that it keeps for offline use.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

export function serviceWorker(): Plugin {
  return {
    name: 'service-worker',
    apply: 'build',
    generateBundle(_, bundle) {
      // Rare fonts are kept when they are used.
      const files = Object.keys(bundle).filter((name) => !/\.(html|map)$/.test(name) && !/KaTeX_(?:Caligraphic|Fraktur|SansSerif|Script|Typewriter)|latin-ext|cyrillic|greek|vietnamese/.test(name));
      const list = ['/', '/icon.svg', '/manifest.webmanifest', ...files.sort().map((name) => `/${name}`)];
      const version = createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 12);
      const template = readFileSync(new URL('./sw.js', import.meta.url), 'utf8');
      const source = template.replace("['FILES']", JSON.stringify(list)).replace("'VERSION'", JSON.stringify(version));
      this.emitFile({ type: 'asset', fileName: 'sw.js', source });
    },
  };
}
