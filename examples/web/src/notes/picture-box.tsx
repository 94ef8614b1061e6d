import type { ItemOf } from '@snapnote/client';
import { useClient, useSyncState } from '@snapnote/client/react';
import { useEffect, useRef, useState, type DragEvent } from 'react';
import { describe, useRequest } from '../api/request.ts';
import { read } from '../gql/index.ts';
import type { PictureFragment } from '../gql/graphql.ts';
import { announce } from '../ui/announcements.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { NOTE_PICTURE, PICTURE, PICTURE_TYPES, PictureRejected, removePicture, setPicture } from './pictures.ts';

/** The upload of a picture: a preview of the file until the service has it. */
function useUpload(noteId: string, onDone: () => void) {
  const client = useClient();
  const [preview, setPreview] = useState<string>();
  const [problem, setProblem] = useState('');
  useEffect(() => () => void (preview && URL.revokeObjectURL(preview)), [preview]);
  const upload = async (file: File) => {
    setProblem('');
    setPreview(URL.createObjectURL(file));
    try {
      await setPicture(client, noteId, file);
      announce('The picture is added.');
      onDone();
    } catch (error) {
      setProblem(error instanceof PictureRejected ? error.message : describe(error));
    }
    setPreview(undefined);
  };
  return { preview, problem, upload: (file: File | undefined) => void (file && upload(file)) };
}

/** Accepts files that are dropped. */
function useDrop(accept: (file: File | undefined) => void) {
  const [isOver, setIsOver] = useState(false);
  const enter = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(true);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    accept(event.dataTransfer.files[0]);
  };
  return { isOver, handlers: { onDragOver: enter, onDragLeave: () => setIsOver(false), onDrop: drop } };
}

/** The picture of a note, usually of a board or a page: its preview, and how to add, replace and remove it. */
export function PictureBox({ note }: { note: ItemOf<'Document'> }) {
  const { status } = useSyncState();
  const { data, isLoading, reload } = useRequest(NOTE_PICTURE, { id: note.id }, note.version);
  const { preview, problem, upload } = useUpload(note.id, reload);
  const picture = read(PICTURE, data?.document?.image);
  const { isOver, handlers } = useDrop(upload);
  return (
    <section className={isOver ? 'picture picture-over' : 'picture'} aria-label="Picture" {...handlers}>
      {preview ? (
        <Uploading preview={preview} />
      ) : picture ? (
        <Shown picture={picture} title={note.fields.title} />
      ) : (
        <p className="picture-none">
          <Icon name="picture" size={28} />
          {isLoading ? 'Loading…' : 'A photo of the board or page goes here.'}
        </p>
      )}
      <p className="form-problem" role="alert">
        {problem}
      </p>
      {status === 'live' ? (
        <PictureActions noteId={note.id} hasPicture={Boolean(picture)} onPick={upload} onRemoved={reload} />
      ) : (
        <p className="muted">Pictures need a connection.</p>
      )}
    </section>
  );
}

function Uploading({ preview }: { preview: string }) {
  return (
    <div className="picture-frame picture-uploading">
      <img src={preview} alt="The chosen file" />
      <p role="status">Uploading…</p>
    </div>
  );
}

/** The preview, which opens the whole picture. */
function Shown({ picture, title }: { picture: PictureFragment; title: string }) {
  const [isOpen, setIsOpen] = useState(false);
  const small = picture.thumbnail ?? picture;
  return (
    <>
      <button type="button" className="picture-frame" onClick={() => setIsOpen(true)} aria-label="Open the picture">
        <img src={small.url} width={small.width} height={small.height} alt={`Page of “${title}”`} />
      </button>
      {isOpen && (
        <Dialog title={title} onClose={() => setIsOpen(false)} wide>
          <img className="picture-full" src={picture.url} width={picture.width} height={picture.height} alt={`Page of “${title}”`} />
        </Dialog>
      )}
    </>
  );
}

interface ActionsProps {
  noteId: string;
  hasPicture: boolean;
  onPick: (file: File | undefined) => void;
  onRemoved: () => void;
}

function PictureActions({ noteId, hasPicture, onPick, onRemoved }: ActionsProps) {
  const client = useClient();
  const input = useRef<HTMLInputElement>(null);
  const remove = async () => {
    await removePicture(client, noteId);
    announce('The picture is removed.');
    onRemoved();
  };
  return (
    <div className="picture-actions">
      <input
        ref={input}
        type="file"
        accept={PICTURE_TYPES}
        className="visually-hidden"
        aria-label="Picture file"
        tabIndex={-1}
        onChange={({ target }) => {
          onPick(target.files?.[0]);
          target.value = '';
        }}
      />
      <button type="button" className="button" onClick={() => input.current?.click()}>
        <Icon name="picture" />
        {hasPicture ? 'Replace picture' : 'Add picture'}
      </button>
      {hasPicture && (
        <button type="button" className="icon-button" aria-label="Remove picture" onClick={() => void remove().catch((error: unknown) => announce(describe(error)))}>
          <Icon name="trash" />
        </button>
      )}
    </div>
  );
}
