// Short messages about what has happened: shown for some seconds, and read by screen readers.

import { useSyncExternalStore } from 'react';

export interface Announcement {
  readonly key: number;
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const SHOWN_MS = 6_000;
let current: Announcement | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function show(next: Announcement | null): void {
  clearTimeout(timer);
  current = next;
  if (next) timer = setTimeout(() => show(null), SHOWN_MS);
  for (const listener of listeners) listener();
}

/** Shows a message, with an action such as Undo. */
export function announce(text: string, action?: Announcement['action']): void {
  show({ key: (current?.key ?? 0) + 1, text, ...(action && { action }) });
}

export function dismissAnnouncement(): void {
  show(null);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useAnnouncement(): Announcement | null {
  return useSyncExternalStore(subscribe, () => current);
}
