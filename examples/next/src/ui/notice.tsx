// What a page shows instead of its content.

import type { ReactNode } from 'react';

export function Notice({ title, advice, children }: { title: string; advice: string; children?: ReactNode }) {
  return (
    <section className="notice">
      <title>{`${title} – SnapNote`}</title>
      <h1>{title}</h1>
      <p>{advice}</p>
      {children}
    </section>
  );
}
