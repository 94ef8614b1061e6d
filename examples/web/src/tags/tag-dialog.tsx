import type { ItemOf } from '@snapnote/client';
import { useClient, useItems } from '@snapnote/client/react';
import { useState } from 'react';
import { changedFields } from '../sync/changes.ts';
import { ColorPicker, DEFAULT_COLOR } from '../ui/colors.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { onSubmit, TextField } from '../ui/form.tsx';

/** Creates or changes a tag. */
export function TagDialog({ tag, onClose }: { tag?: ItemOf<'Tag'>; onClose: () => void }) {
  const client = useClient();
  const tags = useItems('Tag');
  const [before] = useState(tag?.fields ?? { name: '', color: DEFAULT_COLOR });
  const [name, setName] = useState(before.name);
  const [color, setColor] = useState(before.color);
  const isTaken = tags.some(({ id, fields }) => id !== tag?.id && fields.name.toLowerCase() === name.trim().toLowerCase());
  const save = async () => {
    if (isTaken) return;
    const fields = { name: name.trim(), color };
    if (tag) await client.update('Tag', tag.id, changedFields(before, fields));
    else await client.create('Tag', fields);
    onClose();
  };
  return (
    <Dialog title={tag ? 'Edit tag' : 'New tag'} onClose={onClose}>
      <form className="form" onSubmit={onSubmit(() => void save())}>
        <TextField
          label="Name"
          required
          maxLength={100}
          pattern=".*\S.*"
          value={name}
          onChange={setName}
          error={isTaken ? 'Another tag has this name.' : undefined}
        />
        <ColorPicker value={color} onChange={setColor} />
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-primary">
            {tag ? 'Save' : 'Create tag'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
