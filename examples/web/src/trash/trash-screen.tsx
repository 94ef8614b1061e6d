import type { Item } from '@snapnote/client';
import { useClient, useItems } from '@snapnote/client/react';
import { useState } from 'react';
import { nameOf, TYPE_LABELS } from '../sync/labels.ts';
import { announce } from '../ui/announcements.ts';
import { ConfirmDialog } from '../ui/dialog.tsx';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Empty, Screen } from '../ui/screen.tsx';

/** The items that were moved to the trash themselves. Those that moved with their course return with it. */
function useTrash(): { shown: Item[]; withCourse: Map<string, number> } {
  const all: Item[] = [...useItems('Course', 'TRASH'), ...useItems('Document', 'TRASH'), ...useItems('Task', 'TRASH'), ...useItems('Tag', 'TRASH')];
  const withCourse = new Map<string, number>();
  for (const { trashedWith } of all) if (trashedWith) withCourse.set(trashedWith, (withCourse.get(trashedWith) ?? 0) + 1);
  return { shown: all.filter(({ trashedWith }) => !trashedWith), withCourse };
}

export default function TrashScreen() {
  const client = useClient();
  const { shown, withCourse } = useTrash();
  const [deleting, setDeleting] = useState<readonly Item[]>([]);
  const [first] = deleting;
  const restore = async (item: Item) => {
    await client.restore(item.id);
    announce(`“${nameOf(item)}” is restored.`);
  };
  const remove = async () => {
    for (const { id } of deleting) await client.delete(id);
    announce(deleting.length === 1 ? `“${nameOf(first)}” is deleted.` : 'The trash is empty.');
  };
  if (shown.length === 0) return <EmptyTrash />;
  const empty = (
    <button type="button" className="button button-danger" onClick={() => setDeleting(shown)}>
      Empty trash
    </button>
  );
  return (
    <Screen title="Trash" actions={empty}>
      <ul className="trash-list">
        {shown.map((item) => (
          <TrashRow key={item.id} item={item} others={withCourse.get(item.id) ?? 0} onRestore={() => void restore(item)} onDelete={() => setDeleting([item])} />
        ))}
      </ul>
      {first && (
        <ConfirmDialog
          title={deleting.length === 1 ? `Delete “${nameOf(first)}”?` : `Delete ${deleting.length} items?`}
          text="This cannot be undone. A course is deleted with all its notes and tasks."
          action="Delete permanently"
          onConfirm={() => void remove()}
          onClose={() => setDeleting([])}
        />
      )}
    </Screen>
  );
}

function EmptyTrash() {
  return (
    <Screen title="Trash">
      <Empty icon="trash" title="The trash is empty.">
        <p>Deleted items stay here for a while, so that you can restore them.</p>
      </Empty>
    </Screen>
  );
}

const ICONS: Record<Item['type'], IconName> = { Course: 'courses', Document: 'note', Task: 'tasks', Tag: 'tags' };

function TrashRow({ item, others, onRestore, onDelete }: { item: Item; others: number; onRestore: () => void; onDelete: () => void }) {
  const name = nameOf(item);
  return (
    <li className="trash-row">
      <Icon name={ICONS[item.type]} />
      <div className="trash-text">
        <strong>{name}</strong>
        <span className="muted">
          {TYPE_LABELS[item.type]}
          {others > 0 && `, with ${others} ${others === 1 ? 'item' : 'items'}`}
        </span>
      </div>
      <button type="button" className="button" aria-label={`Restore “${name}”`} onClick={onRestore}>
        <Icon name="restore" />
        <span>Restore</span>
      </button>
      <button type="button" className="icon-button" aria-label={`Delete “${name}” permanently`} onClick={onDelete}>
        <Icon name="close" />
      </button>
    </li>
  );
}
