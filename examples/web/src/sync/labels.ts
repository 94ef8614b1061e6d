import type { ItemOf, ItemType } from '@snapnote/client';

export const TYPE_LABELS: Record<ItemType, string> = { Course: 'course', Document: 'note', Task: 'task', Tag: 'tag' };

/** The name of a field in a sentence. */
export function fieldLabel(field: string): string {
  if (field === 'formattedNote') return 'text';
  if (field === 'originalText') return 'recognized text';
  return field;
}

/** The name or title of an item. */
export function nameOf(item: ItemOf<ItemType> | undefined): string {
  if (!item) return 'a deleted item';
  return 'name' in item.fields ? item.fields.name : item.fields.title;
}
