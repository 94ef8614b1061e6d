// The README shows the programs of test/readme, which are compiled.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

test('the programs of the README are those that are compiled, and have no more than 20 lines', () => {
  const readme = readFileSync('README.md', 'utf8');
  const shown = [...readme.matchAll(/```tsx?\n([^]*?)```/g)].map(([, text]) => text!).filter((text) => text.startsWith('import'));
  const programs = readdirSync('test/readme').map((name) => readFileSync(`test/readme/${name}`, 'utf8'));
  assert.deepEqual(shown.toSorted(), programs.toSorted());
  for (const text of programs) assert(text.trim().split('\n').length <= 20, text);
});
