import { SnapNoteProvider, useItems, useSyncState } from '@snapnote/client/react';
import { createRoot } from 'react-dom/client';
import { client } from './client.js';

function Tasks() {
  const { status, unsent } = useSyncState();
  return (
    <main>
      <p>{status}, {unsent} unsent</p>
      <button onClick={() => client.create('Task', { title: prompt('Title') || 'New task' })}>Add</button>
      {useItems('Task').map(({ id, fields: { title, completed } }) => (
        <p key={id}>
          <input type="checkbox" checked={completed} onChange={() => client.update('Task', id, { completed: !completed })} />
          {title} <button onClick={() => client.trash(id)}>Remove</button>
        </p>
      ))}
    </main>
  );
}
createRoot(document.querySelector('main')!).render(<SnapNoteProvider client={client}><Tasks /></SnapNoteProvider>);
