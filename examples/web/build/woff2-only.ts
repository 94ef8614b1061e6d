// KaTeX's style sheet names each font in three formats. All browsers that run this app read WOFF2, so the others are not built.

import type { Plugin } from 'vite';

export function woff2Only(): Plugin {
  return {
    name: 'woff2-only',
    enforce: 'pre',
    transform: {
      filter: { id: /katex[^/]*\.css/ },
      handler: (code: string) => code.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)/g, ''),
    },
  };
}
