// What a user types into a note before it is saved. It is kept on this device, so that closing the window loses nothing.

import type { ItemOf } from '@snapnote/client';
import { useEffect, useState } from 'react';

type Note = ItemOf<'Document'>;

/** The fields of the editor. */
export const DRAFT_FIELDS = ['title', 'formattedNote', 'originalText'] as const;
export type DraftField = (typeof DRAFT_FIELDS)[number];
export type Texts = Readonly<Record<DraftField, string>>;

/** The typed texts, and the texts of the note when the user began to type. */
export interface Draft {
  readonly base: Texts;
  readonly mine: Texts;
}

const keyOf = (id: string) => `snapnote:draft:${id}`;
const textsOf = ({ fields: { title, formattedNote, originalText } }: Note): Texts => ({ title, formattedNote, originalText });

export function hasDraft(id: string): boolean {
  return localStorage.getItem(keyOf(id)) !== null;
}

/** Removes the drafts of all notes from this device. */
export function removeDrafts(): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith(keyOf(''))) localStorage.removeItem(key);
}

function load(note: Note): Draft {
  const stored = localStorage.getItem(keyOf(note.id));
  return stored ? (JSON.parse(stored) as Draft) : { base: textsOf(note), mine: textsOf(note) };
}

/**
 * Takes over fields that only the saved note has changed. A field that was changed in both stays as it is: it is in conflict.
 */
export function merged({ base, mine }: Draft, saved: Texts): { draft: Draft; conflicts: DraftField[] } {
  const next = { base: { ...base }, mine: { ...mine } };
  const conflicts: DraftField[] = [];
  for (const field of DRAFT_FIELDS) {
    if (saved[field] === base[field]) continue;
    if (mine[field] === base[field]) next.mine[field] = saved[field];
    else if (mine[field] !== saved[field]) {
      conflicts.push(field);
      continue;
    }
    next.base[field] = saved[field];
  }
  return { draft: next, conflicts };
}

/** The fields of a draft that the user has changed. */
export function changesOf({ base, mine }: Draft): Partial<Texts> {
  return Object.fromEntries(DRAFT_FIELDS.filter((field) => mine[field] !== base[field]).map((field) => [field, mine[field]]));
}

/** The draft of a note, merged with changes of other windows and devices. */
export function useDraft(note: Note) {
  const [stored, setStored] = useState(() => load(note));
  const saved = textsOf(note);
  const { draft, conflicts } = merged(stored, saved);
  const isChanged = Object.keys(changesOf(draft)).length > 0;
  useEffect(() => {
    if (isChanged) localStorage.setItem(keyOf(note.id), JSON.stringify(draft));
    else localStorage.removeItem(keyOf(note.id));
  });
  const change = (field: DraftField, text: string) => setStored({ ...draft, mine: { ...draft.mine, [field]: text } });
  /** Ends a conflict with the text that the user has chosen. */
  const resolve = (field: DraftField, text: string) =>
    setStored({ base: { ...draft.base, [field]: saved[field] }, mine: { ...draft.mine, [field]: text } });
  const discard = () => {
    localStorage.removeItem(keyOf(note.id));
    setStored({ base: saved, mine: saved });
  };
  return { draft, saved, conflicts, isChanged, change, resolve, discard };
}
