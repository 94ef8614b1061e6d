// Blocks in TypeScript and Python. All blocks of one page that are not files of their own are one program, in their order.
import { readdirSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as esbuild from 'esbuild';
import { output } from '../service.mjs';
import { matches } from './compare.mjs';

const MODULE = /\.tsx?$/;

/** What browsers have and Node 20 has not. `prompt` returns the email address and the password of the page's user. */
const BROWSER = (modules, user) => `
import '${modules}/fake-indexeddb/auto/index.mjs';
import WebSocket from 'ws';
const answers = ${JSON.stringify({ Email: user.email, Password: user.password })};
Object.assign(globalThis, { WebSocket, prompt: (question) => answers[question] ?? 'Sheet 2' });
globalThis.navigator ??= {};
navigator.storage ??= { persist: async () => true };
`;

export class Programs {
  constructor(root, folder, substitute) {
    Object.assign(this, { root, folder, substitute });
  }

  /** Writes the blocks that are files, so that commands and programs find them. */
  writeFiles(blocks) {
    for (const { name, text } of blocks.filter(({ name, marker }) => name && !marker)) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true });
      writeFileSync(join(this.folder, name), this.substitute(text));
    }
  }

  nameOf(page, extension) {
    return `${page.replaceAll('/', '-').replace('.md', '')}.program.${extension}`;
  }

  /** Writes the program of a page. Returns its blocks. */
  writeProgram(page, blocks, language) {
    const parts = blocks.filter((block) => block.language === language && !block.name && !block.marker);
    if (parts.length === 0) return [];
    const extension = language === 'python' ? 'py' : language;
    const text = parts.map((block) => `${language === 'python' ? '#' : '//'} ${block.where}\n${block.text}`).join('\n');
    const module = language === 'python' ? '' : '\nexport {};\n';
    writeFileSync(join(this.folder, this.nameOf(page, extension)), this.substitute(text) + module);
    return parts;
  }

  /** The errors that TypeScript reports, with the names of the files. */
  async typeErrors() {
    if (!readdirSync(this.folder).some((name) => /\.tsx?$/.test(name))) return [];
    const paths = { '@snapnote/client': ['../../../../../packages/client/src/index.ts'], '@snapnote/client/*': ['../../../../../packages/client/src/*.ts'] };
    writeFileSync(join(this.folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../matrix/tsconfig.json', compilerOptions: { paths, noUnusedLocals: false }, include: ['.'] }));
    const compiler = join(this.root, 'tests/clients/node_modules/typescript-7/bin/tsc');
    const text = await output(process.execPath, [compiler], { cwd: this.folder, seconds: 300 }).then(() => '', ({ message }) => message);
    const errors = [...text.matchAll(/^(\S+)\(\d+,\d+\): (error .*)$/gm)].map(([, file, error]) => ({ file, error }));
    if (text !== '' && errors.length === 0) throw new Error(text);
    return errors;
  }

  /** Bundles modules of the folder, which shows that their imports exist. */
  async bundle(entry, stdin) {
    const source = join(this.root, 'packages/client/src');
    return esbuild.build({
      ...(stdin ? { stdin: { contents: stdin, resolveDir: this.folder, sourcefile: `${entry}.js` } } : { entryPoints: [join(this.folder, entry)] }),
      outfile: join(this.folder, 'bundles', `${entry}.mjs`), bundle: true, platform: 'node', format: 'esm', jsx: 'automatic', logLevel: 'silent',
      plugins: [{
        name: 'client',
        setup(build) {
          build.onResolve({ filter: /^@snapnote\/client/ }, ({ path }) => ({ path: join(source, `${path.slice('@snapnote/client/'.length) || 'index'}.ts`) }));
          build.onResolve({ filter: /^[^./]/ }, ({ path, importer }) => (importer.startsWith(source) ? undefined : { path, external: true }));
        },
      }],
    });
  }

  /** Runs a page's program. What it logs must be what the comments behind `console.log` or `print` say. */
  async run(page, parts, user, { python }) {
    const [{ language }] = parts;
    const isPython = language === 'python';
    const program = isPython ? this.nameOf(page, 'py') : `bundles/${page.replaceAll('/', '-')}.mjs`;
    if (!isPython) {
      const modules = join(this.root, 'packages/client/node_modules');
      const start = `await import('./${this.nameOf(page, language)}'); process.exit(0);`;
      await this.bundle(page.replaceAll('/', '-'), `${BROWSER(modules, user)}\n${start}`);
    }
    const env = { ...process.env, TOKEN: user.token, PYTHONDONTWRITEBYTECODE: '1', NODE_NO_WARNINGS: '1' };
    const printed = (await output(isPython ? python : process.execPath, [program], { cwd: this.folder, seconds: 60, env })).split('\n').filter(Boolean);
    const comment = isPython ? /^ *print\(.*\) +# (.*)$/gm : /^ *console\.log\(.*\); +\/\/ (.*)$/gm;
    const expected = parts.flatMap(({ text }) => [...text.matchAll(comment)].map(([, value]) => value));
    const wrong = Math.max(printed.length, expected.length);
    for (let index = 0; index < wrong; index += 1) {
      if (!matches(expected[index] ?? '', printed[index] ?? '')) throw new Error(`the program printed \`${printed[index]}\`, the page says \`${expected[index]}\``);
    }
  }

  isModule({ name, language }) {
    return MODULE.test(name ?? `x.${language}`);
  }
}

/** Checks the syntax of code that cannot run here. */
export async function checkSyntax({ language, text }, python) {
  if (language === 'json') JSON.parse(text);
  if (/^(tsx?|js)$/.test(language)) await esbuild.transform(text, { loader: language });
  if (language === 'python') await output(python, ['-c', 'import ast, sys; ast.parse(sys.argv[1])', text], { seconds: 20 });
}
