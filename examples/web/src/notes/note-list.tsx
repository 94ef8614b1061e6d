import type { ItemOf } from '@snapnote/client';
import { Link } from 'wouter';
import { useRequest } from '../api/request.ts';
import { read } from '../gql/index.ts';
import { TagChips } from '../tags/tag-chips.tsx';
import { COURSE_PICTURES, PICTURE } from './pictures.ts';
import { excerptOf } from './excerpt.ts';

/** The notes of a course, with previews of their pictures. */
export function NoteList({ notes, courseId }: { notes: readonly ItemOf<'Document'>[]; courseId: string }) {
  // Setting a picture changes the note's version.
  const versions = notes.map(({ version }) => version).join();
  const { data } = useRequest(COURSE_PICTURES, { courseId }, versions);
  const previews = new Map(data?.documents.nodes.map(({ id, image }) => [id, read(PICTURE, image)?.thumbnail?.url]));
  return (
    <ul className="note-list">
      {notes.map((note) => (
        <NoteCard key={note.id} note={note} preview={previews.get(note.id)} />
      ))}
    </ul>
  );
}

export function NoteCard({ note: { id, fields }, preview }: { note: ItemOf<'Document'>; preview?: string | undefined }) {
  return (
    <li className="note-card">
      <div className="note-card-text">
        <h3>
          <Link href={`/notes/${id}`}>{fields.title}</Link>
        </h3>
        <p>{excerptOf(fields.formattedNote) || 'Empty note'}</p>
        <TagChips ids={fields.tagIds} />
      </div>
      {preview && <img src={preview} alt="" loading="lazy" width="72" height="72" />}
    </li>
  );
}
