import { useSyncState } from '@snapnote/client/react';

const TEXTS = {
  live: 'Up to date',
  'catching up': 'Catching up…',
  offline: 'Offline',
  'signed out': 'Signed out',
  broken: 'Cannot store changes',
} as const;

/** Whether everything has been sent, and whether changes of other devices arrive. */
export function SyncStatus() {
  const { status, unsent } = useSyncState();
  const changes = unsent === 1 ? '1 change waits' : `${unsent} changes wait`;
  return (
    <p className="sync" data-status={status} data-unsent={unsent} role="status">
      <span className="sync-dot" />
      <span>
        {status === 'live' && unsent > 0 ? 'Saving…' : TEXTS[status]}
        {status !== 'live' && unsent > 0 && <span className="sync-unsent"> · {changes}</span>}
      </span>
    </p>
  );
}
