// The task that the user is writing. It has an id before it is sent, so a repeated request makes no second task.

export interface Draft {
  readonly id: string;
  readonly title: string;
}

/** The changes of a draft, with a source of ids: React Native and Node have different ones. */
export function draftsWith(newId: () => string) {
  const draftOf = (title: string): Draft => ({ id: newId(), title });
  return {
    empty: () => draftOf(''),
    /** The draft with a title. An unchanged draft keeps its id, also after a lost response. */
    edited: (draft: Draft, title: string) => (title === draft.title ? draft : draftOf(title)),
    /** The draft after a request. If the task was not created, the user can add it again. */
    afterSending: (draft: Draft, isCreated: boolean) => (isCreated ? draftOf('') : draft),
  };
}
