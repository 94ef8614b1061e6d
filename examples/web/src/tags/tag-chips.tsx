import { useClient, useItems } from '@snapnote/client/react';
import { Link } from 'wouter';
import { DEFAULT_COLOR } from '../ui/colors.tsx';

/** The tags of an item, which open the items with the tag. */
export function TagChips({ ids }: { ids: readonly string[] }) {
  const client = useClient();
  useItems('Tag');
  const tags = ids.map((id) => client.item('Tag', id)).filter((tag) => tag !== undefined);
  if (tags.length === 0) return null;
  return (
    <ul className="chips" aria-label="Tags">
      {tags.map(({ id, fields }) => (
        <li key={id}>
          <Link href={`/tags/${id}`} className="chip">
            <span className="swatch" style={{ background: fields.color ?? DEFAULT_COLOR }} />
            {fields.name}
          </Link>
        </li>
      ))}
    </ul>
  );
}
