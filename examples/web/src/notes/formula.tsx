// A formula, rendered by KaTeX, which is loaded with its style sheet and fonts when the first formula is shown.
//
// `katex.render` sets styles through the DOM, which a strict Content-Security-Policy allows. rehype-katex parses HTML with style attributes,
// which it reports. Formulas of users cannot make links or styles, and their size is limited.

import 'katex/dist/katex.min.css';
import { render, type KatexOptions } from 'katex';
import { useLayoutEffect, useRef } from 'react';

const OPTIONS: KatexOptions = { throwOnError: false, trust: false, strict: 'ignore', maxSize: 40, maxExpand: 500, errorColor: 'var(--danger)' };

export default function Formula({ tex, isDisplayed }: { tex: string; isDisplayed: boolean }) {
  const element = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    if (element.current) render(tex, element.current, { ...OPTIONS, displayMode: isDisplayed });
  }, [tex, isDisplayed]);
  return isDisplayed ? <span ref={element} className="formula" tabIndex={0} role="group" aria-label="Formula" /> : <span ref={element} />;
}
