// The colors of courses and tags: eight sticks of chalk.

import { useId } from 'react';

export const COLORS = [
  ['#2F9E6E', 'Green'],
  ['#2D7DD2', 'Blue'],
  ['#6C5CE7', 'Violet'],
  ['#C2459B', 'Pink'],
  ['#D2452F', 'Red'],
  ['#DE7C1E', 'Orange'],
  ['#C9A20C', 'Yellow'],
  ['#5B7083', 'Slate'],
] as const;

export const DEFAULT_COLOR = COLORS[0][0];

export function ColorPicker({ value, onChange }: { value: string | null; onChange: (color: string) => void }) {
  const name = useId();
  return (
    <fieldset className="colors">
      <legend>Color</legend>
      {COLORS.map(([color, label]) => (
        <label key={color} title={label}>
          <input type="radio" name={name} checked={value?.toUpperCase() === color} onChange={() => onChange(color)} aria-label={label} />
          <span style={{ background: color }} />
        </label>
      ))}
    </fieldset>
  );
}
