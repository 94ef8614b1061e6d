import type { ItemOf, ItemType } from '@snapnote/client';
import { useClient, useItem } from '@snapnote/client/react';
import { lazy, Suspense } from 'react';
import { useSession } from '../session/session-context.tsx';
import { announce } from '../ui/announcements.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Loading } from '../ui/screen.tsx';
import type { TextConflict } from './conflicts.ts';
import { nameOf } from './labels.ts';

const ConflictView = lazy(() => import('./conflict-view.tsx'));

function textOf(item: ItemOf<ItemType>, field: string): string {
  const value = (item.fields as unknown as Record<string, unknown>)[field];
  return typeof value === 'string' ? value : '';
}

/** Shows both versions of a text, and stores the one that the user chooses. */
export function ConflictDialog({ conflict, onClose }: { conflict: TextConflict; onClose: () => void }) {
  const client = useClient();
  const { conflicts } = useSession();
  const item = useItem(conflict.type, conflict.itemId);
  const theirs = item ? textOf(item, conflict.field) : '';
  const choose = async (text: string) => {
    if (item?.status === 'ACTIVE' && text !== theirs) await client.update(conflict.type, conflict.itemId, { [conflict.field]: text });
    conflicts.remove(conflict.key);
    announce('Your choice is saved.');
    onClose();
  };
  return (
    <Dialog title={`Two versions of “${nameOf(item)}”`} onClose={onClose} wide>
      <Suspense fallback={<Loading />}>
        <ConflictView field={conflict.field} mine={conflict.mine} theirs={theirs} onChoose={(text) => void choose(text)} />
      </Suspense>
    </Dialog>
  );
}
