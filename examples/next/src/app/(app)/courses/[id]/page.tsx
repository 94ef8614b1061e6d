import Link from 'next/link';
import { notFound } from 'next/navigation';
import { graphql, read } from '@/gql';
import { asUser } from '@/service/as-user';
import { FailureNotice } from '@/ui/failure-notice';
import { NewItem } from '@/ui/new-item';
import { TaskRow } from '@/ui/task-row';
import { createTask, setCompleted } from '@/app/(app)/actions';

const COURSE = graphql(`
  query Course($id: ID!) {
    course(id: $id) {
      name
      description
      documents(first: 100) {
        nodes {
          id
          title
          excerpt
        }
      }
      open: tasks(first: 100, filter: { completed: false }, orderBy: [{ field: DUE_AT }, { field: CREATED_AT, direction: ASC }]) {
        nodes {
          ...TaskFields
        }
      }
      completed: tasks(first: 20, filter: { completed: true }, orderBy: [{ field: COMPLETED_AT }]) {
        nodes {
          ...TaskFields
        }
      }
    }
  }
`);

const TASK = graphql(`
  fragment TaskFields on Task {
    id
    title
    completed
    dueAt
    dueOn
  }
`);

/** A server does not know the user's time zone, so times are in UTC. */
function due(dueAt: string | null, dueOn: string | null): string | null {
  const style = dueAt ? ({ dateStyle: 'medium', timeStyle: 'short' } as const) : ({ dateStyle: 'medium' } as const);
  const value = dueAt ?? dueOn;
  if (!value) return null;
  return `${new Intl.DateTimeFormat('en', { ...style, timeZone: 'UTC' }).format(new Date(value))}${dueAt ? ' UTC' : ''}`;
}

export default async function CoursePage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  const { data, failure } = await asUser(COURSE, { id });
  if (failure) return <FailureNotice failure={failure} />;
  const { course } = data;
  if (!course) notFound();
  const tasks = read(TASK, [...course.open.nodes, ...course.completed.nodes]);
  return (
    <>
      <title>{`${course.name} – SnapNote`}</title>
      <h1>{course.name}</h1>
      {course.description && <p>{course.description}</p>}
      <h2>Notes</h2>
      {course.documents.nodes.length === 0 && <p className="empty">There are no notes yet.</p>}
      <ul className="cards">
        {course.documents.nodes.map((document) => (
          <li key={document.id}>
            <Link href={`/notes/${document.id}`}>{document.title}</Link>
            <span>{document.excerpt}</span>
          </li>
        ))}
      </ul>
      <h2>Tasks</h2>
      {tasks.length === 0 && <p className="empty">There are no tasks yet.</p>}
      <ul className="tasks">
        {tasks.map((task) => (
          <TaskRow
            key={task.id}
            title={task.title}
            due={due(task.dueAt, task.dueOn)}
            isCompleted={task.completed}
            action={setCompleted.bind(null, task.id, !task.completed)}
          />
        ))}
      </ul>
      <NewItem
        action={createTask.bind(null, id)}
        id={crypto.randomUUID()}
        label="New task"
        name="title"
        submit="Add task"
        dateLabel="Due"
      />
    </>
  );
}
