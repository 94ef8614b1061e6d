import { useItems } from '@snapnote/client/react';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon } from '../ui/icons.tsx';
import { Empty, Screen } from '../ui/screen.tsx';
import { TagDialog } from './tag-dialog.tsx';

/** How many active notes and open tasks have each tag. */
function useCounts(): Map<string, number> {
  const notes = useItems('Document');
  const tasks = useItems('Task');
  return useMemo(() => {
    const counts = new Map<string, number>();
    for (const { fields } of [...notes, ...tasks]) for (const id of fields.tagIds) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }, [notes, tasks]);
}

export default function TagsScreen() {
  const tags = useItems('Tag');
  const counts = useCounts();
  const [isCreating, setIsCreating] = useState(false);
  const sorted = tags.toSorted((one, other) => one.fields.name.localeCompare(other.fields.name));
  const add = (
    <button type="button" className="button button-primary" onClick={() => setIsCreating(true)}>
      <Icon name="plus" />
      New tag
    </button>
  );
  return (
    <Screen title="Tags" actions={add}>
      {sorted.length === 0 ? (
        <Empty icon="tags" title="No tags yet">
          <p>Tags connect notes and tasks of all courses, such as “Exam”.</p>
        </Empty>
      ) : (
        <ul className="tag-list">
          {sorted.map(({ id, fields }) => (
            <li key={id}>
              <Link href={`/tags/${id}`}>
                <span className="swatch" style={{ background: fields.color ?? DEFAULT_COLOR }} />
                <span>{fields.name}</span>
                <span className="count">{counts.get(id) ?? 0}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
      {isCreating && <TagDialog onClose={() => setIsCreating(false)} />}
    </Screen>
  );
}
