import type { Fields, ItemOf } from '@snapnote/client';
import { useClient } from '@snapnote/client/react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { changedFields } from '../sync/changes.ts';
import { ColorPicker, DEFAULT_COLOR } from '../ui/colors.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { onSubmit, TextAreaField, TextField } from '../ui/form.tsx';

const NEW: Fields['Course'] = { name: '', description: null, color: DEFAULT_COLOR, icon: null };

/** Creates or changes a course. */
export function CourseDialog({ course, onClose }: { course?: ItemOf<'Course'>; onClose: () => void }) {
  const client = useClient();
  const [, navigate] = useLocation();
  const [before] = useState(course?.fields ?? NEW);
  const [fields, setFields] = useState(before);
  const change = (changed: Partial<typeof fields>) => setFields({ ...fields, ...changed });
  const save = async () => {
    if (course) await client.update('Course', course.id, changedFields(before, fields));
    else navigate(`/courses/${await client.create('Course', fields)}`);
    onClose();
  };
  return (
    <Dialog title={course ? 'Edit course' : 'New course'} onClose={onClose}>
      <form className="form" onSubmit={onSubmit(() => void save())}>
        <TextField label="Name" required maxLength={255} pattern=".*\S.*" value={fields.name} onChange={(name) => change({ name })} />
        <TextAreaField
          label="Description"
          maxLength={10_000}
          value={fields.description ?? ''}
          onChange={(text) => change({ description: text || null })}
        />
        <div className="form-row">
          <ColorPicker value={fields.color} onChange={(color) => change({ color })} />
          <TextField label="Emoji" maxLength={8} value={fields.icon ?? ''} onChange={(icon) => change({ icon: icon || null })} />
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
