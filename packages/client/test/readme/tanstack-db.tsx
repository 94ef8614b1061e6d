import { newRow, snapnoteCollectionOptions } from '@snapnote/client/tanstack-db';
import { createCollection, eq, useLiveQuery } from '@tanstack/react-db';
import { createRoot } from 'react-dom/client';
import { client } from './client.js';

const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));

function Tasks() {
  const { data } = useLiveQuery((query) => query.from({ task: tasks }).where(({ task }) => eq(task.completed, false)));
  return (
    <>
      <button onClick={() => tasks.insert(newRow('Task', { title: prompt('Title') || 'New task' }))}>Add</button>
      {data.map(({ id, title }) => (
        <button key={id} onClick={() => tasks.update(id, (task) => void (task.completed = true))}>Finish {title}</button>
      ))}
    </>
  );
}
createRoot(document.querySelector('main')!).render(<Tasks />);
