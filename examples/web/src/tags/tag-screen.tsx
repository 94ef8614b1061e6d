import type { ItemOf } from '@snapnote/client';
import { useClient, useItem, useItems } from '@snapnote/client/react';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { NotFound } from '../app/not-found.tsx';
import { NoteCard } from '../notes/note-list.tsx';
import { TaskLists } from '../tasks/task-lists.tsx';
import { announce } from '../ui/announcements.ts';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon } from '../ui/icons.tsx';
import { Empty, Screen } from '../ui/screen.tsx';
import { TagDialog } from './tag-dialog.tsx';

/** The notes and tasks with a tag. */
export default function TagScreen({ id }: { id: string }) {
  const tag = useItem('Tag', id);
  const notes = useItems('Document').filter(({ fields }) => fields.tagIds.includes(id));
  const tasks = useItems('Task').filter(({ fields }) => fields.tagIds.includes(id));
  if (tag?.status !== 'ACTIVE') return <NotFound />;
  const lead = (
    <p className="crumb">
      <span className="swatch" style={{ background: tag.fields.color ?? DEFAULT_COLOR }} />
      <Link href="/tags">Tags</Link>
    </p>
  );
  return (
    <Screen title={tag.fields.name} lead={lead} actions={<TagActions tag={tag} />}>
      {notes.length + tasks.length === 0 && (
        <Empty icon="tags" title="Nothing has this tag.">
          <p>Add it to a note or a task.</p>
        </Empty>
      )}
      {notes.length > 0 && (
        <section aria-labelledby="notes">
          <h2 id="notes">Notes</h2>
          <ul className="note-list">
            {notes.map((note) => (
              <NoteCard key={note.id} note={note} />
            ))}
          </ul>
        </section>
      )}
      {tasks.length > 0 && (
        <section aria-labelledby="tasks">
          <h2 id="tasks">Tasks</h2>
          <TaskLists tasks={tasks} order="manual" showsCourse />
        </section>
      )}
    </Screen>
  );
}

function TagActions({ tag }: { tag: ItemOf<'Tag'> }) {
  const client = useClient();
  const [, navigate] = useLocation();
  const [isEditing, setIsEditing] = useState(false);
  const trash = async () => {
    navigate('/tags');
    await client.trash(tag.id);
    announce(`“${tag.fields.name}” is in the trash.`, { label: 'Undo', run: () => void client.restore(tag.id) });
  };
  return (
    <>
      <button type="button" className="button" onClick={() => setIsEditing(true)}>
        <Icon name="edit" />
        Edit tag
      </button>
      <button type="button" className="icon-button" aria-label="Move tag to trash" onClick={() => void trash()}>
        <Icon name="trash" />
      </button>
      {isEditing && <TagDialog tag={tag} onClose={() => setIsEditing(false)} />}
    </>
  );
}
