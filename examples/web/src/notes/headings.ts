// The headings of a note below the title of the page: they begin at level 2, and no level is skipped, so that screen readers show an outline.

import type { Heading, Nodes, Root } from 'mdast';

function headingsOf(node: Nodes): Heading[] {
  if (node.type === 'heading') return [node];
  return 'children' in node ? node.children.flatMap(headingsOf) : [];
}

export function outline() {
  return (tree: Root) => {
    const headings = headingsOf(tree);
    const depths = [...new Set(headings.map(({ depth }) => depth))].sort();
    let previous = 1;
    for (const heading of headings) {
      previous = Math.min(depths.indexOf(heading.depth) + 2, previous + 1, 6);
      heading.depth = previous as Heading['depth'];
    }
  };
}
