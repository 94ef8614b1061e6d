// The code blocks of Markdown files, and the comments that say how a block is tested.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Languages of texts that are not code. */
const TEXTS = new Set(['text', 'mermaid']);
/** The first line of an indented block of commands. */
const COMMAND = /^ {4,}(?:\w+=\S* )*(?:cargo|cd|curl|docker|git|node|npm|npx|pip3?|python3?|snapnote) /;

/**
 * A block: its page, line, language, text, the name of its file if it has one, and the marker above it.
 * A file's name is the second word of the fence, or a comment in the first line: `// session.ts`.
 */
export function blocksOf(root, page) {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  const wholePage = new Map();
  for (const line of lines) {
    const all = /^<!-- (\w+) blocks are tested by (\S+) -->$/.exec(line);
    if (all) wholePage.set(all[1], { kind: 'tested by', text: all[2] });
  }
  const blocks = [];
  for (let index = 0; index < lines.length; index += 1) {
    const fence = /^( *)```(\S*) *(.*)$/.exec(lines[index]);
    if (!fence && COMMAND.test(lines[index]) && !lines[index - 1]?.trim()) {
      blocks.push({ page, line: index + 1, language: '', text: lines[index], where: `${page}:${index + 1}`, problem: 'commands are indented; put them in a fenced block' });
    }
    if (!fence) continue;
    const [, indent, language, info] = fence;
    const end = lines.indexOf(`${indent}\`\`\``, index + 1);
    if (end < 0) throw new Error(`${page}:${index + 1}: the block has no end`);
    const text = lines.slice(index + 1, end).map((line) => line.replace(indent, '')).join('\n') + '\n';
    const name = /^[\w./-]+\.\w+$/.exec(info)?.[0] ?? /^(?:\/\/|#) ([\w.-]+\.\w+)$/m.exec(text.split('\n')[0])?.[1];
    if (!TEXTS.has(language)) {
      const marker = markerOf(lines[index - 1] ?? '') ?? wholePage.get(language);
      blocks.push({ page, line: index + 1, language, text, name, marker, where: `${page}:${index + 1}` });
    }
    index = end;
  }
  return blocks;
}

function markerOf(line) {
  const [, kind, text = ''] = /^ *<!-- (not run|tested by):? *(.*?) *-->$/.exec(line) ?? [];
  return kind && { kind, text };
}

/** Checks a marker. Another test must exist, and must contain the block or name the page. */
export function checkMarker(root, block) {
  const { kind, text } = block.marker;
  if (text === '') throw new Error(`the comment \`${kind}\` gives no reason`);
  if (kind === 'not run') return;
  const path = join(root, text);
  if (!existsSync(path) || !statSync(path).isFile()) throw new Error(`the test ${text} does not exist`);
  const test = readFileSync(path, 'utf8');
  if (!test.includes(block.text) && !test.includes(block.page)) throw new Error(`the test ${text} has no such code, and does not name this page`);
}
