import { useClient, useItems } from '@snapnote/client/react';
import { useState, type KeyboardEvent } from 'react';
import { COLORS, DEFAULT_COLOR } from '../ui/colors.tsx';

const MAXIMUM_TAGS = 20;

/** Chooses tags, and makes new ones. */
export function TagPicker({ selected, onChange }: { selected: readonly string[]; onChange: (ids: readonly string[]) => void }) {
  const tags = useItems('Tag');
  const toggle = (id: string) => onChange(selected.includes(id) ? selected.filter((other) => other !== id) : [...selected, id].sort());
  return (
    <fieldset className="tag-picker">
      <legend className="visually-hidden">Tags</legend>
      {tags.map(({ id, fields }) => (
        <label key={id} className="chip chip-choice">
          <input
            type="checkbox"
            checked={selected.includes(id)}
            disabled={!selected.includes(id) && selected.length >= MAXIMUM_TAGS}
            onChange={() => toggle(id)}
          />
          <span className="swatch" style={{ background: fields.color ?? DEFAULT_COLOR }} />
          {fields.name}
        </label>
      ))}
      <NewTag onCreated={(id) => onChange([...selected, id].sort())} />
    </fieldset>
  );
}

/** Makes a tag on Enter, or selects the one with the name. It may be in a form, so it does not send that. */
function NewTag({ onCreated }: { onCreated: (id: string) => void }) {
  const client = useClient();
  const tags = useItems('Tag');
  const [name, setName] = useState('');
  const create = async () => {
    const existing = tags.find(({ fields }) => fields.name.toLowerCase() === name.trim().toLowerCase());
    const [color] = COLORS[tags.length % COLORS.length] ?? COLORS[0];
    onCreated(existing?.id ?? (await client.create('Tag', { name: name.trim(), color })));
    setName('');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    if (name.trim()) void create();
  };
  return (
    <input
      className="input input-chip"
      aria-label="New tag"
      placeholder="New tag, then Enter"
      maxLength={100}
      value={name}
      onChange={({ target }) => setName(target.value)}
      onKeyDown={onKeyDown}
    />
  );
}
