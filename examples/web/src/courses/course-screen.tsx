import { useClient, useItem, useItems } from '@snapnote/client/react';
import type { ItemOf } from '@snapnote/client';
import { useMemo, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { NotFound } from '../app/not-found.tsx';
import { NoteList } from '../notes/note-list.tsx';
import { AddTask } from '../tasks/add-task.tsx';
import { TaskLists } from '../tasks/task-lists.tsx';
import { announce } from '../ui/announcements.ts';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon } from '../ui/icons.tsx';
import { Empty, Screen } from '../ui/screen.tsx';
import { CourseDialog } from './course-dialog.tsx';

/** A course with its notes and tasks. */
export default function CourseScreen({ id }: { id: string }) {
  const course = useItem('Course', id);
  if (course?.status !== 'ACTIVE') return <NotFound />;
  return (
    <Screen
      title={course.fields.name}
      lead={
        <p className="crumb">
          <span className="swatch" style={{ background: course.fields.color ?? DEFAULT_COLOR }} />
          <Link href="/">Courses</Link>
        </p>
      }
      actions={<CourseActions course={course} />}
    >
      {course.fields.description && <p className="lead">{course.fields.description}</p>}
      <div className="course-columns">
        <Notes courseId={id} />
        <Tasks courseId={id} />
      </div>
    </Screen>
  );
}

function CourseActions({ course }: { course: ItemOf<'Course'> }) {
  const client = useClient();
  const [, navigate] = useLocation();
  const [isEditing, setIsEditing] = useState(false);
  const trash = async () => {
    navigate('/');
    await client.trash(course.id);
    announce(`“${course.fields.name}” is in the trash.`, { label: 'Undo', run: () => void client.restore(course.id) });
  };
  return (
    <>
      <button type="button" className="button" onClick={() => setIsEditing(true)}>
        <Icon name="edit" />
        Edit course
      </button>
      <button type="button" className="icon-button" aria-label="Move course to trash" onClick={() => void trash()}>
        <Icon name="trash" />
      </button>
      {isEditing && <CourseDialog course={course} onClose={() => setIsEditing(false)} />}
    </>
  );
}

function Notes({ courseId }: { courseId: string }) {
  const client = useClient();
  const [, navigate] = useLocation();
  const all = useItems('Document');
  const notes = useMemo(() => all.filter(({ fields }) => fields.courseId === courseId).toReversed(), [all, courseId]);
  const add = async () => {
    const fields = { courseId, title: 'Untitled note', originalText: '', formattedNote: '' };
    navigate(`/notes/${await client.create('Document', fields)}?edit`);
  };
  return (
    <section aria-labelledby="notes">
      <header className="section-head">
        <h2 id="notes">Notes</h2>
        <button type="button" className="button" onClick={() => void add()}>
          <Icon name="plus" />
          New note
        </button>
      </header>
      {notes.length > 0 ? (
        <NoteList notes={notes} courseId={courseId} />
      ) : (
        <Empty icon="note" title="No notes yet">
          <p>Write one in Markdown, with formulas, or photograph the board.</p>
        </Empty>
      )}
    </section>
  );
}

function Tasks({ courseId }: { courseId: string }) {
  const all = useItems('Task');
  const tasks = useMemo(() => all.filter(({ fields }) => fields.courseId === courseId), [all, courseId]);
  return (
    <section aria-labelledby="tasks">
      <header className="section-head">
        <h2 id="tasks">Tasks</h2>
      </header>
      <AddTask courseId={courseId} />
      <TaskLists tasks={tasks} order="manual" />
    </section>
  );
}
