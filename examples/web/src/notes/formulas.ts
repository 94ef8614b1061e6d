// KaTeX with its style sheet and fonts. Formulas of users cannot make links or styles, and their size is limited.

import 'katex/dist/katex.min.css';
import rehypeKatex, { type Options } from 'rehype-katex';

const OPTIONS: Options = { trust: false, strict: 'ignore', maxSize: 40, maxExpand: 500, errorColor: 'var(--danger)' };

export const formulas: [typeof rehypeKatex, Options] = [rehypeKatex, OPTIONS];
