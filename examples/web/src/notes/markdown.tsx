// Markdown of users, rendered safely: no HTML, no scripts, and only http, https and mailto links. KaTeX is loaded for notes with formulas.

import { lazy, Suspense, type ComponentProps } from 'react';
import type { ElementContent } from 'hast';
import Markdown, { type Components } from 'react-markdown';
import rehypeSanitize, { defaultSchema } from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';
import { outline } from './headings.ts';

type Plugins = NonNullable<ComponentProps<typeof Markdown>['rehypePlugins']>;

const SCHEMA = {
  ...defaultSchema,
  attributes: { ...defaultSchema.attributes, code: [['className', /^language-./, 'math-inline', 'math-display'] as [string, ...(string | RegExp)[]]] },
  protocols: { href: ['http', 'https', 'mailto'] },
};
const SAFE: Plugins = [[rehypeSanitize, SCHEMA]];

const Formula = lazy(() => import('./formula.tsx'));

/** A formula. Until KaTeX is loaded, its source. */
function Math({ tex, isDisplayed }: { tex: string; isDisplayed: boolean }) {
  return (
    <Suspense fallback={<code>{tex}</code>}>
      <Formula tex={tex} isDisplayed={isDisplayed} />
    </Suspense>
  );
}

function isFormula(node: ElementContent | undefined): boolean {
  const classes = node?.type === 'element' ? node.properties['className'] : undefined;
  return Array.isArray(classes) && classes.some((name) => name === 'math-inline' || name === 'math-display');
}

/** Pictures of other sites are links. */
const COMPONENTS: Components = {
  a: ({ href, children, id, 'aria-describedby': describedBy }) =>
    href?.startsWith('#') ? (
      <a href={href} id={id} aria-describedby={describedBy}>
        {children}
      </a>
    ) : (
      <a href={href} target="_blank" rel="noopener noreferrer">
        {children}
      </a>
    ),
  img: ({ src, alt }) => (
    <a href={typeof src === 'string' ? src : undefined} target="_blank" rel="noopener noreferrer">
      {alt || 'Picture'}
    </a>
  ),
  table: ({ children }) => (
    // The scroll container can be reached and scrolled with the keyboard.
    <div className="table-scroll" tabIndex={0} role="group" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
  pre: ({ children, node }) => (isFormula(node?.children[0]) ? children : <pre tabIndex={0}>{children}</pre>),
  code: ({ children, className, node }) =>
    isFormula(node) ? <Math tex={String(children)} isDisplayed={className?.includes('math-display') ?? false} /> : <code>{children}</code>,
  input: ({ checked }) => <input type="checkbox" checked={checked === true} disabled aria-label={checked ? 'Done' : 'Not done'} />,
};

export default function Note({ text }: { text: string }) {
  return (
    <div className="note-text">
      <Markdown remarkPlugins={[remarkGfm, remarkMath, outline]} rehypePlugins={SAFE} components={COMPONENTS}>
        {text}
      </Markdown>
    </div>
  );
}
