// A note, rendered on the server. Users' HTML and scripts are not: links can be http, https and mailto, and pictures of other sites are
// links. Formulas become MathML, which needs no scripts, styles or fonts.

import type { ComponentProps } from 'react';
import Markdown, { type Components } from 'react-markdown';
import rehypeKatex from 'rehype-katex';
import rehypeSanitize, { defaultSchema } from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';

type Plugins = NonNullable<ComponentProps<typeof Markdown>['rehypePlugins']>;

const MATH = ['className', /^language-./, 'math-inline', 'math-display'] as [string, ...(string | RegExp)[]];
const SAFE = {
  ...defaultSchema,
  attributes: { ...defaultSchema.attributes, code: [MATH] },
  protocols: { href: ['http', 'https', 'mailto'] },
};
const PLUGINS: Plugins = [
  [rehypeSanitize, SAFE],
  [rehypeKatex, { output: 'mathml', trust: false, strict: false, maxSize: 20, maxExpand: 200 }],
];

const COMPONENTS: Components = {
  a: ({ href, children }) => (
    <a href={href} rel="noopener noreferrer">
      {children}
    </a>
  ),
  img: ({ src, alt }) => (
    <a href={typeof src === 'string' ? src : undefined} rel="noopener noreferrer">
      {alt || 'Picture'}
    </a>
  ),
  // What scrolls can be reached and scrolled with the keyboard.
  table: ({ children }) => (
    <div className="scroll" tabIndex={0} role="group" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
  pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
};

export function NoteText({ text }: { text: string }) {
  return (
    <div className="note-text">
      <Markdown remarkPlugins={[remarkGfm, remarkMath]} rehypePlugins={PLUGINS} components={COMPONENTS}>
        {text}
      </Markdown>
    </div>
  );
}
