import type { ItemOf } from '@snapnote/client';
import { useClient, useItem } from '@snapnote/client/react';
import { lazy, Suspense, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { NotFound } from '../app/not-found.tsx';
import { TagPicker } from '../tags/tag-picker.tsx';
import { announce } from '../ui/announcements.ts';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon } from '../ui/icons.tsx';
import { Loading, Screen } from '../ui/screen.tsx';
import { hasDraft } from './draft.ts';
import { NoteEditor } from './note-editor.tsx';
import { PictureBox } from './picture-box.tsx';

const Note = lazy(() => import('./markdown.tsx'));

/** A note: reading, or editing. */
export default function NoteScreen({ id }: { id: string }) {
  const note = useItem('Document', id);
  const search = useSearch();
  const [isEditing, setIsEditing] = useState(() => search.includes('edit') || hasDraft(id));
  const [, navigate] = useLocation();
  if (note?.status !== 'ACTIVE') return <NotFound />;
  const close = () => {
    setIsEditing(false);
    navigate(`/notes/${id}`, { replace: true });
  };
  return (
    <Screen
      title={note.fields.title}
      className="note-screen"
      lead={<Crumb note={note} />}
      actions={!isEditing && <NoteActions note={note} onEdit={() => setIsEditing(true)} />}
    >
      {isEditing ? <NoteEditor note={note} onClose={close} /> : <Reading note={note} />}
    </Screen>
  );
}

function Crumb({ note }: { note: ItemOf<'Document'> }) {
  const course = useItem('Course', note.fields.courseId);
  return (
    <p className="crumb">
      <span className="swatch" style={{ background: course?.fields.color ?? DEFAULT_COLOR }} />
      <Link href={`/courses/${note.fields.courseId}`}>{course?.fields.name ?? 'Course'}</Link>
    </p>
  );
}

function NoteActions({ note, onEdit }: { note: ItemOf<'Document'>; onEdit: () => void }) {
  const client = useClient();
  const [, navigate] = useLocation();
  const trash = async () => {
    navigate(`/courses/${note.fields.courseId}`);
    await client.trash(note.id);
    announce(`“${note.fields.title}” is in the trash.`, { label: 'Undo', run: () => void client.restore(note.id) });
  };
  return (
    <>
      <button type="button" className="button button-primary" onClick={onEdit}>
        <Icon name="edit" />
        Edit note
      </button>
      <button type="button" className="icon-button" aria-label="Move note to trash" onClick={() => void trash()}>
        <Icon name="trash" />
      </button>
    </>
  );
}

function Reading({ note }: { note: ItemOf<'Document'> }) {
  const client = useClient();
  const { formattedNote, originalText, tagIds } = note.fields;
  return (
    <div className="note-columns">
      <article className="sheet">
        {formattedNote.trim() ? (
          <Suspense fallback={<Loading label="Loading note" />}>
            <Note text={formattedNote} />
          </Suspense>
        ) : (
          <p className="muted">This note is empty.</p>
        )}
      </article>
      <aside className="note-side" aria-label="About this note">
        <PictureBox note={note} />
        <section>
          <h2>Tags</h2>
          <TagPicker selected={tagIds} onChange={(ids) => void client.update('Document', note.id, { tagIds: ids })} />
        </section>
        {originalText && (
          <details className="recognized">
            <summary>Recognized text</summary>
            <p>{originalText}</p>
          </details>
        )}
      </aside>
    </div>
  );
}
