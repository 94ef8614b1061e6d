import { useItem } from '@snapnote/client/react';
import { Link } from 'wouter';
import { graphql, read, type FragmentType } from '../gql/index.ts';
import type { SearchResultFragment } from '../gql/graphql.ts';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Highlighted } from './highlighted.tsx';

const SEARCH_RESULT = graphql(`
  fragment SearchResult on SearchEdge {
    node {
      __typename
      id
      ... on Course {
        name
      }
      ... on Tag {
        name
      }
      ... on CourseItem {
        title
        courseId
      }
    }
    highlights {
      field
      ...Highlighted
    }
  }
`);

type Node = SearchResultFragment['node'];

const ICONS: Record<Node['__typename'], IconName> = { Course: 'courses', Document: 'note', Tag: 'tags', Task: 'tasks' };
const LABELS: Record<Node['__typename'], string> = { Course: 'Course', Document: 'Note', Tag: 'Tag', Task: 'Task' };

function addressOf(node: Node): string {
  if (node.__typename === 'Course') return `/courses/${node.id}`;
  if (node.__typename === 'Document') return `/notes/${node.id}`;
  if (node.__typename === 'Tag') return `/tags/${node.id}`;
  return node.courseId ? `/courses/${node.courseId}` : '/tasks';
}

/** A found item: its title, and the passages that show why it was found. */
export function SearchResult({ edge }: { edge: FragmentType<typeof SEARCH_RESULT> }) {
  const { node, highlights } = read(SEARCH_RESULT, edge);
  const course = useItem('Course', 'courseId' in node ? (node.courseId ?? '') : '');
  const title = 'title' in node ? node.title : node.name;
  const inTitle = highlights.find(({ field }) => field === 'title' || field === 'name');
  return (
    <li className="result">
      <Icon name={ICONS[node.__typename]} />
      <div>
        <Link href={addressOf(node)} className="result-title">
          {inTitle ? <Highlighted highlight={inTitle} /> : title}
        </Link>
        {highlights
          .filter((highlight) => highlight !== inTitle)
          .map((highlight, index) => (
            <p key={index} className="result-passage">
              <Highlighted highlight={highlight} />
            </p>
          ))}
        <p className="result-facts">
          {LABELS[node.__typename]}
          {course && (
            <span className="task-course">
              <span className="swatch" style={{ background: course.fields.color ?? DEFAULT_COLOR }} />
              {course.fields.name}
            </span>
          )}
        </p>
      </div>
    </li>
  );
}
