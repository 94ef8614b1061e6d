import { type Fields, type ItemOf, type TaskPriority } from '@snapnote/client';
import { useClient, useItems } from '@snapnote/client/react';
import { useState } from 'react';
import { changedFields } from '../sync/changes.ts';
import { TagPicker } from '../tags/tag-picker.tsx';
import { announce } from '../ui/announcements.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Field, onSubmit, Segmented, TextAreaField, TextField } from '../ui/form.tsx';
import { dueOf, partsOf } from './due.ts';

type TaskFields = Fields['Task'];

const PRIORITIES: readonly (readonly [TaskPriority, string])[] = [
  ['LOW', 'Low'],
  ['NORMAL', 'Normal'],
  ['HIGH', 'High'],
];

/** Changes a task. */
export function TaskDialog({ task, onClose }: { task: ItemOf<'Task'>; onClose: () => void }) {
  const client = useClient();
  const [before] = useState(task.fields);
  const [fields, setFields] = useState(task.fields);
  const change = (changed: Partial<TaskFields>) => setFields((current) => ({ ...current, ...changed }));
  const save = async () => {
    await client.update('Task', task.id, changedFields(before, fields));
    announce('The task is saved.');
    onClose();
  };
  const trash = async () => {
    onClose();
    await client.trash(task.id);
    announce(`“${before.title}” is in the trash.`, { label: 'Undo', run: () => void client.restore(task.id) });
  };
  return (
    <Dialog title="Edit task" onClose={onClose}>
      <form className="form" onSubmit={onSubmit(() => void save())}>
        <TextField label="Title" required maxLength={200} pattern=".*\S.*" value={fields.title} onChange={(title) => change({ title })} />
        <DueFields due={fields.due} onChange={(due) => change({ due })} />
        <CourseAndPriority fields={fields} change={change} />
        <TextAreaField label="Details" maxLength={1_000} value={fields.description ?? ''} onChange={(text) => change({ description: text || null })} />
        <div className="field">
          <span className="label">Tags</span>
          <TagPicker selected={fields.tagIds} onChange={(tagIds) => change({ tagIds })} />
        </div>
        <div className="dialog-actions">
          <button type="button" className="button button-quiet" onClick={() => void trash()}>
            Move to trash
          </button>
          <button type="submit" className="button button-primary">
            Save task
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function DueFields({ due, onChange }: { due: string | null; onChange: (due: string | null) => void }) {
  const { date, time } = partsOf(due);
  return (
    <div className="form-row">
      <TextField label="Due date" type="date" value={date} onChange={(next) => onChange(dueOf({ date: next, time }))} />
      <TextField label="Time (optional)" type="time" value={time} disabled={!date} onChange={(next) => onChange(dueOf({ date, time: next }))} />
    </div>
  );
}

function CourseAndPriority({ fields, change }: { fields: TaskFields; change: (changed: Partial<TaskFields>) => void }) {
  const courses = useItems('Course');
  return (
    <div className="form-row">
      <Field label="Course">
        {(attributes) => (
          <select className="input" value={fields.courseId ?? ''} onChange={({ target }) => change({ courseId: target.value || null })} {...attributes}>
            <option value="">No course</option>
            {courses.map((course) => (
              <option key={course.id} value={course.id}>
                {course.fields.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <div className="field">
        <span className="label">Priority</span>
        <Segmented label="Priority" value={fields.priority} options={PRIORITIES} onChange={(priority) => change({ priority })} />
      </div>
    </div>
  );
}
