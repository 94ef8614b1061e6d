import { useClient, useItems, useSyncState } from '@snapnote/client/react';
import type { ItemOf } from '@snapnote/client';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon } from '../ui/icons.tsx';
import { Empty, Loading, Screen } from '../ui/screen.tsx';
import { dueLabel, isOverdue, sortByDue } from '../tasks/due.ts';
import { CourseDialog } from './course-dialog.tsx';

/** The home screen: what is due next, and all courses. */
export function CoursesScreen() {
  const courses = useItems('Course');
  const { isLoaded } = useSyncState();
  const [isCreating, setIsCreating] = useState(false);
  const add = (
    <button type="button" className="button button-primary" onClick={() => setIsCreating(true)}>
      <Icon name="plus" />
      New course
    </button>
  );
  return (
    <Screen title="Courses" actions={add}>
      <DueNext />
      {!isLoaded && courses.length === 0 ? (
        <Loading label="Loading courses" />
      ) : courses.length === 0 ? (
        <Empty icon="courses" title="Your first course starts here.">
          <p>A course holds the notes and tasks of one lecture.</p>
        </Empty>
      ) : (
        <ul className="course-grid">
          {courses.map((course) => (
            <CourseCard key={course.id} course={course} />
          ))}
        </ul>
      )}
      {isCreating && <CourseDialog onClose={() => setIsCreating(false)} />}
    </Screen>
  );
}

const many = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;

function CourseCard({ course: { id, fields } }: { course: ItemOf<'Course'> }) {
  const notes = useItems('Document').filter((note) => note.fields.courseId === id).length;
  const tasks = useItems('Task').filter((task) => task.fields.courseId === id && !task.fields.completed).length;
  return (
    <li className="course-card">
      <span className="course-spine" style={{ background: fields.color ?? DEFAULT_COLOR }} />
      <div>
        <h2>
          <Link href={`/courses/${id}`}>{fields.name}</Link>
        </h2>
        {fields.description && <p className="course-about">{fields.description}</p>}
        <p className="course-counts">
          {many(notes, 'note')} · {many(tasks, 'open task')}
        </p>
      </div>
      {fields.icon && (
        <span className="course-icon" aria-hidden="true">
          {fields.icon}
        </span>
      )}
    </li>
  );
}

/** The next tasks with a due date. */
function DueNext() {
  const client = useClient();
  const tasks = useItems('Task');
  const next = useMemo(() => sortByDue(tasks.filter(({ fields }) => fields.due && !fields.completed)).slice(0, 3), [tasks]);
  if (next.length === 0) return null;
  return (
    <section className="due-next" aria-labelledby="due-next">
      <h2 id="due-next">Due next</h2>
      <ul>
        {next.map(({ id, fields }) => (
          <li key={id}>
            <span className={isOverdue(fields.due) ? 'due due-overdue' : 'due'}>{dueLabel(fields.due)}</span>
            <Link href={fields.courseId ? `/courses/${fields.courseId}` : '/tasks'}>{fields.title}</Link>
            {fields.courseId && <span className="due-next-course">{client.item('Course', fields.courseId)?.fields.name}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
