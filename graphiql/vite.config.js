// Builds the page into dist/, which is committed and compiled into the service.
// Builds are reproducible: nothing here may depend on the time or a path.

import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzip } from 'pako';
import { defineConfig } from 'vite';

const bundledPackages = new Set();

export default defineConfig({
  base: '/graphiql/',
  build: {
    target: 'es2022',
    // data: URLs would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 3000,
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
  worker: { format: 'es', plugins: () => [notePackages()] },
  plugins: [notePackages(), writeLicenses(), compressAssets()],
});

/** Records the folder of every bundled package, including those in the workers' bundles. */
function notePackages() {
  return {
    name: 'note-packages',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((chunk) => chunk.moduleIds ?? []);
      for (const id of modules) {
        const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id) ?? [];
        if (folder) bundledPackages.add(folder);
      }
    },
  };
}

/** Writes LICENSES.txt: each licence text once, below the names of the bundled packages that it covers. */
function writeLicenses() {
  const licenseFile = /^(licen[cs]e|copying|notice|third-?party)/i;
  return {
    name: 'write-licenses',
    closeBundle() {
      const packagesByText = new Map();
      for (const folder of bundledPackages) {
        const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
        const files = readdirSync(folder).filter((file) => licenseFile.test(file)).sort();
        const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').replace(/\r/g, '').trim());
        const text = texts.join('\n\n') || 'The package contains no licence text.';
        packagesByText.set(text, [...(packagesByText.get(text) ?? []), `${name} ${version} (${license})`]);
      }
      const sections = [...packagesByText].map(([text, packages]) => {
        const title = [...new Set(packages)].sort().join('\n');
        return `${title}\n\n${text}\n`;
      });
      const intro = 'The GraphiQL page contains code of the following packages, under the licences below.\n';
      writeFileSync('dist/LICENSES.txt', [intro, ...sections.sort()].join(`\n${'='.repeat(80)}\n\n`));
    },
  };
}

/**
 * Replaces every asset with its gzip, because the service sends nothing else. It uses pako, whose output is the same on every Node
 * version and processor, unlike Node's zlib.
 */
function compressAssets() {
  const folder = 'dist/assets';
  return {
    name: 'compress-assets',
    closeBundle() {
      for (const file of readdirSync(folder)) {
        const path = join(folder, file);
        writeFileSync(`${path}.gz`, gzip(readFileSync(path), { level: 9 }));
        rmSync(path);
      }
    },
  };
}
