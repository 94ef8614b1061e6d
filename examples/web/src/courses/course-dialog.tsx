import type { ItemOf } from '@snapnote/client';
import { useClient } from '@snapnote/client/react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ColorPicker, DEFAULT_COLOR } from '../ui/colors.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Field, onSubmit, TextField } from '../ui/form.tsx';

/** Creates or changes a course. */
export function CourseDialog({ course, onClose }: { course?: ItemOf<'Course'>; onClose: () => void }) {
  const client = useClient();
  const [, navigate] = useLocation();
  const [fields, setFields] = useState(course?.fields ?? { name: '', description: null, color: DEFAULT_COLOR as string, icon: null });
  const change = (changed: Partial<typeof fields>) => setFields({ ...fields, ...changed });
  const save = async () => {
    if (course) await client.update('Course', course.id, fields);
    else navigate(`/courses/${await client.create('Course', fields)}`);
    onClose();
  };
  return (
    <Dialog title={course ? 'Edit course' : 'New course'} onClose={onClose}>
      <form className="form" onSubmit={onSubmit(() => void save())}>
        <TextField label="Name" required maxLength={255} pattern=".*\S.*" value={fields.name} onChange={(name) => change({ name })} />
        <Field label="Description">
          {(attributes) => (
            <textarea
              className="input"
              rows={3}
              maxLength={10_000}
              value={fields.description ?? ''}
              onChange={({ target }) => change({ description: target.value || null })}
              {...attributes}
            />
          )}
        </Field>
        <div className="form-row">
          <ColorPicker value={fields.color} onChange={(color) => change({ color })} />
          <TextField
            label="Emoji"
            className="input input-short"
            maxLength={8}
            value={fields.icon ?? ''}
            onChange={(icon) => change({ icon: icon || null })}
          />
        </div>
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-primary">
            {course ? 'Save' : 'Create course'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
