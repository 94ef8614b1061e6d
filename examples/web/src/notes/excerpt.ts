/** The beginning of a note as plain text. It is an approximation: only for lists. */
export function excerptOf(markdown: string): string {
  const plain = markdown
    .slice(0, 600)
    .replace(/```[^`]*(```|$)/g, ' ')
    .replace(/^#{1,6} +.*$/gm, ' ')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\$\$[^$]*\$\$|\$[^$]*\\[^$]*\$/g, '…')
    .replace(/^[ >*+-]+|[*_`~|$]/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > 160 ? `${plain.slice(0, 160)}…` : plain;
}
