// Markdown of users, rendered safely: no HTML, no scripts, and only http, https and mailto links. KaTeX is loaded for notes with formulas.

import { useEffect, useState, type ComponentProps } from 'react';
import Markdown, { type Components } from 'react-markdown';
import rehypeSanitize, { defaultSchema } from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';

type Plugins = NonNullable<ComponentProps<typeof Markdown>['rehypePlugins']>;

const SCHEMA = {
  ...defaultSchema,
  attributes: { ...defaultSchema.attributes, code: [['className', /^language-./, 'math-inline', 'math-display'] as [string, ...(string | RegExp)[]]] },
  protocols: { href: ['http', 'https', 'mailto'] },
};
const SAFE: Plugins = [[rehypeSanitize, SCHEMA]];

/** The page has one heading of level 1, its title. So headings of notes begin at level 2. Pictures of other sites are links. */
const COMPONENTS: Components = {
  h1: ({ children }) => <h2>{children}</h2>,
  h2: ({ children }) => <h3>{children}</h3>,
  h3: ({ children }) => <h4>{children}</h4>,
  h4: ({ children }) => <h5>{children}</h5>,
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
  pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
  input: ({ checked }) => <input type="checkbox" checked={checked === true} disabled aria-label={checked ? 'Done' : 'Not done'} />,
};

/** The plugin that renders formulas, as soon as it is loaded. */
function useFormulas(markdown: string): Plugins {
  const [plugins, setPlugins] = useState(SAFE);
  const isNeeded = markdown.includes('$') && plugins === SAFE;
  useEffect(() => {
    if (!isNeeded) return;
    let isCurrent = true;
    void import('./formulas.ts').then(({ formulas }) => isCurrent && setPlugins([...SAFE, formulas]));
    return () => {
      isCurrent = false;
    };
  }, [isNeeded]);
  return plugins;
}

export default function Note({ text }: { text: string }) {
  const plugins = useFormulas(text);
  return (
    <div className="note-text">
      <Markdown remarkPlugins={[remarkGfm, remarkMath]} rehypePlugins={plugins} components={COMPONENTS}>
        {text}
      </Markdown>
    </div>
  );
}
