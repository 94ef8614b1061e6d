// Conflicts that the user must decide: a text was changed on this device and elsewhere. The other version stays in the item, and this
// device's version is kept here until the user has chosen.

import { newId, same, type Conflict, type ItemType } from '@snapnote/client';
import { useSyncExternalStore } from 'react';
import { useSession } from '../session/session-context.tsx';

/** Two versions of a text. */
export interface TextConflict {
  readonly key: string;
  readonly itemId: string;
  readonly type: ItemType;
  readonly field: string;
  /** The text that was entered on this device. */
  readonly mine: string;
}

const TEXTS = ['name', 'title', 'description', 'formattedNote', 'originalText'];

/** Whether the user decides conflicts of a field. For dates, flags and orders, the last change wins. */
const isText = (field: string) => TEXTS.includes(field);

export class Conflicts {
  private readonly storageKey: string;
  private readonly listeners = new Set<() => void>();
  private stored: string | null = null;
  private list: readonly TextConflict[] = [];

  constructor(userId: string) {
    this.storageKey = `snapnote:conflicts:${userId}`;
  }

  /**
   * Returns the value of a field in conflict. Local storage is synchronous, so the text is stored before the client drops it. If it does not
   * fit there, both texts stay in the item.
   */
  decide({ item, field, mine, theirs }: Conflict): unknown {
    if (!isText(field) || typeof mine !== 'string') return mine;
    try {
      const others = this.all().filter((other) => other.itemId !== item.id || other.field !== field || !same(field, other.mine, mine));
      this.save([...others, { key: newId(), itemId: item.id, type: item.type, field, mine }]);
      return theirs;
    } catch {
      return [theirs, mine].filter(Boolean).join('\n\n');
    }
  }

  /** All conflicts. The same list is returned until one changes. */
  all(): readonly TextConflict[] {
    const stored = localStorage.getItem(this.storageKey);
    if (stored !== this.stored) {
      this.stored = stored;
      this.list = JSON.parse(stored ?? '[]') as readonly TextConflict[];
    }
    return this.list;
  }

  remove(key: string): void {
    this.save(this.all().filter((conflict) => conflict.key !== key));
  }

  clear(): void {
    localStorage.removeItem(this.storageKey);
  }

  /** Calls a listener after each change, also of other tabs. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    globalThis.addEventListener('storage', listener);
    return () => {
      this.listeners.delete(listener);
      globalThis.removeEventListener('storage', listener);
    };
  };

  private save(conflicts: readonly TextConflict[]): void {
    localStorage.setItem(this.storageKey, JSON.stringify(conflicts));
    for (const listener of this.listeners) listener();
  }
}

export function useConflicts(): readonly TextConflict[] {
  const { conflicts } = useSession();
  return useSyncExternalStore(conflicts.subscribe, () => conflicts.all());
}
