// What needs the user: an ended session, changes that the service rejected, and texts with two versions.

import type { Rejection, UserError } from '@snapnote/client';
import { useClient, useItem, useRejections, useSyncState } from '@snapnote/client/react';
import { useState } from 'react';
import { useSession } from '../session/session-context.tsx';
import { Icon } from '../ui/icons.tsx';
import { ConflictDialog } from './conflict-dialog.tsx';
import { useConflicts, type TextConflict } from './conflicts.ts';
import { fieldLabel, nameOf, TYPE_LABELS } from './labels.ts';

export function Attention() {
  const { status } = useSyncState();
  const rejections = useRejections();
  const conflicts = useConflicts();
  if (status !== 'signed out' && status !== 'broken' && rejections.length + conflicts.length === 0) return null;
  return (
    <section className="attention" aria-label="Needs your attention">
      {status === 'signed out' && <EndedSession />}
      {status === 'broken' && <p className="notice">This device could not store changes. Free some space, then reload the page.</p>}
      {conflicts.map((conflict) => (
        <ConflictNotice key={conflict.key} conflict={conflict} />
      ))}
      {rejections.map((rejection) => (
        <RejectionNotice key={rejection.entry.key} rejection={rejection} />
      ))}
    </section>
  );
}

function EndedSession() {
  const { signInAgain } = useSession();
  return (
    <div className="notice">
      <Icon name="warning" />
      <p>Your session has ended. Your changes are kept on this device and are sent after you sign in again.</p>
      <button type="button" className="button" onClick={() => void signInAgain()}>
        Sign in again
      </button>
    </div>
  );
}

function ConflictNotice({ conflict }: { conflict: TextConflict }) {
  const item = useItem(conflict.type, conflict.itemId);
  const [isOpen, setIsOpen] = useState(false);
  return (
    <div className="notice">
      <Icon name="warning" />
      <p>
        The {fieldLabel(conflict.field)} of <strong>{nameOf(item)}</strong> was changed here and on another device.
      </p>
      <button type="button" className="button" onClick={() => setIsOpen(true)}>
        Compare
      </button>
      {isOpen && <ConflictDialog conflict={conflict} onClose={() => setIsOpen(false)} />}
    </div>
  );
}

const VERBS = { create: 'Creating', update: 'Changing', trash: 'Trashing', restore: 'Restoring', delete: 'Deleting' } as const;

function reason({ code, field, message }: UserError): string {
  const name = field?.at(-1);
  if (code === 'TAKEN' && name === 'name') return 'Another tag has this name.';
  if (name === 'tagIds') return 'One of its tags does not exist.';
  if (name === 'courseId') return 'Its course is in the trash or was deleted.';
  if (code === 'NOT_FOUND') return 'It was deleted on another device.';
  if (code === 'IN_TRASH') return 'It is in the trash.';
  if (code === 'TOO_LONG' && name) return `The ${fieldLabel(name)} is too long.`;
  return message;
}

function RejectionNotice({ rejection }: { rejection: Rejection }) {
  const client = useClient();
  const { entry, errors } = rejection;
  const item = useItem(entry.type, entry.id);
  const entered = 'fields' in entry ? (entry.fields['name'] ?? entry.fields['title']) : undefined;
  const name = typeof entered === 'string' ? entered : nameOf(item);
  return (
    <div className="notice notice-error">
      <Icon name="warning" />
      <p>
        {VERBS[entry.kind]} the {TYPE_LABELS[entry.type]} <strong>{name}</strong> failed: {errors.map(reason).join(' ')}
        {'fields' in entry && <EnteredTexts fields={entry.fields} />}
      </p>
      <button type="button" className="button" onClick={() => void client.dismiss(rejection)}>
        Dismiss
      </button>
    </div>
  );
}

/** The long texts of a rejected change, so that they can be copied. */
function EnteredTexts({ fields }: { fields: Readonly<Record<string, unknown>> }) {
  const texts = Object.entries(fields).filter(([name, value]) => typeof value === 'string' && ['description', 'formattedNote', 'originalText'].includes(name));
  if (texts.every(([, value]) => value === '')) return null;
  return (
    <details>
      <summary>Show your text</summary>
      {texts.map(([name, value]) => (
        <span key={name} className="notice-text">
          {String(value)}
        </span>
      ))}
    </details>
  );
}
