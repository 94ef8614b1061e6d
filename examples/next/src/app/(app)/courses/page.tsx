import Link from 'next/link';
import { graphql } from '@/gql';
import { asUser } from '@/service/as-user';
import { FailureNotice } from '@/ui/failure-notice';
import { NewItem } from '@/ui/new-item';
import { createCourse } from '@/app/(app)/actions';

const COURSES = graphql(`
  query Courses {
    me {
      name
    }
    courses(first: 100, orderBy: [{ field: NAME }]) {
      nodes {
        id
        name
        documentCount
        openTaskCount
      }
    }
  }
`);

export default async function Courses() {
  const { data, failure } = await asUser(COURSES, {});
  if (failure) return <FailureNotice failure={failure} />;
  const { me, courses } = data;
  return (
    <>
      <title>Courses – SnapNote</title>
      <h1>Courses of {me?.name}</h1>
      {courses.nodes.length === 0 && <p className="empty">There are no courses yet.</p>}
      <ul className="cards">
        {courses.nodes.map(({ id, name, documentCount, openTaskCount }) => (
          <li key={id}>
            <Link href={`/courses/${id}`}>{name}</Link>
            <span>
              {documentCount} {documentCount === 1 ? 'note' : 'notes'}, {openTaskCount} open {openTaskCount === 1 ? 'task' : 'tasks'}
            </span>
          </li>
        ))}
      </ul>
      <NewItem action={createCourse} id={crypto.randomUUID()} label="New course" name="name" submit="Create course" />
    </>
  );
}
