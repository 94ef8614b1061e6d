import { graphql, read, type FragmentType } from '../gql/index.ts';

const HIGHLIGHTED = graphql(`
  fragment Highlighted on Highlight {
    text
    ranges {
      start
      end
    }
  }
`);

/** A passage with its matches marked. The ranges are in UTF-16 code units, as in JavaScript. */
export function Highlighted({ highlight }: { highlight: FragmentType<typeof HIGHLIGHTED> }) {
  const { text, ranges } = read(HIGHLIGHTED, highlight);
  return (
    <>
      {ranges.map(({ start, end }, index) => (
        <span key={start}>
          {text.slice(ranges[index - 1]?.end ?? 0, start)}
          <mark>{text.slice(start, end)}</mark>
        </span>
      ))}
      {text.slice(ranges.at(-1)?.end ?? 0)}
    </>
  );
}
