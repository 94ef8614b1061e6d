import type { ItemOf } from '@snapnote/client';
import { useClient } from '@snapnote/client/react';
import { lazy, Suspense, useDeferredValue, useEffect, useState, type ComponentProps } from 'react';
import { announce } from '../ui/announcements.ts';
import { Field, onSubmit, Segmented, TextAreaField, TextField } from '../ui/form.tsx';
import { Loading } from '../ui/screen.tsx';
import { changesOf, useDraft } from './draft.ts';

const Note = lazy(() => import('./markdown.tsx'));
const ConflictView = lazy(() => import('../sync/conflict-view.tsx'));

interface Props {
  note: ItemOf<'Document'>;
  onClose: () => void;
}

/** Ctrl+S or Cmd+S saves. */
function useSaveKey(save: () => void) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      save();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [save]);
}

export function NoteEditor({ note, onClose }: Props) {
  const client = useClient();
  const state = useDraft(note);
  const { draft, saved, conflicts, isChanged, change, resolve, discard } = state;
  const [conflict] = conflicts;
  const save = () => {
    if (conflict || !draft.mine.title.trim()) return;
    const store = async () => {
      if (isChanged) await client.update('Document', note.id, changesOf(draft));
      discard();
      announce('The note is saved.');
      onClose();
    };
    void store();
  };
  useSaveKey(save);
  return (
    <form className="editor" onSubmit={onSubmit(save)}>
      {conflict && (
        <Changed field={conflict} mine={draft.mine[conflict]} theirs={saved[conflict]} onChoose={(text) => resolve(conflict, text)} />
      )}
      <TextField label="Title" required maxLength={500} value={draft.mine.title} onChange={(text) => change('title', text)} />
      <EditorTexts draft={draft.mine} change={change} />
      <div className="editor-bar">
        <button type="submit" className="button button-primary" disabled={conflict !== undefined}>
          Save note
        </button>
        <button type="button" className="button" onClick={() => {
          discard();
          onClose();
        }}>
          {isChanged ? 'Discard changes' : 'Close'}
        </button>
        <p className="muted">{isChanged ? 'Not saved yet. Kept on this device.' : 'Markdown, with formulas in $…$ or $$…$$.'}</p>
      </div>
    </form>
  );
}

/** Both versions of a text that was saved elsewhere while the user was editing it. */
function Changed(versions: ComponentProps<typeof ConflictView>) {
  return (
    <section className="notice-conflict" role="alert" aria-label="This note has changed">
      <h2>This note has changed</h2>
      <Suspense fallback={<Loading />}>
        <ConflictView {...versions} />
      </Suspense>
    </section>
  );
}

type TextsProps = { draft: ReturnType<typeof useDraft>['draft']['mine']; change: ReturnType<typeof useDraft>['change'] };

/** The text beside its preview. On narrow screens, one of them. */
function EditorTexts({ draft, change }: TextsProps) {
  const [pane, setPane] = useState<'write' | 'preview'>('write');
  const preview = useDeferredValue(draft.formattedNote);
  return (
    <>
      <div className="editor-tabs">
        <Segmented label="View" value={pane} onChange={setPane} options={[['write', 'Write'], ['preview', 'Preview']]} />
      </div>
      <div className="editor-panes" data-pane={pane}>
        <div className="editor-write">
          <Field label="Note">
            {(attributes) => (
              <textarea
                className="input editor-text"
                value={draft.formattedNote}
                onChange={({ target }) => change('formattedNote', target.value)}
                spellCheck
                {...attributes}
              />
            )}
          </Field>
        </div>
        <section className="sheet editor-preview" aria-label="Preview">
          <Suspense fallback={<Loading />}>
            <Note text={preview} />
          </Suspense>
        </section>
      </div>
      <details className="recognized">
        <summary>Recognized text</summary>
        <TextAreaField label="Text of the page, as recognized" rows={5} value={draft.originalText} onChange={(text) => change('originalText', text)} />
      </details>
    </>
  );
}
