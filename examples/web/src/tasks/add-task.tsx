import { inOrder, newId, positionsOf } from '@snapnote/client';
import { useClient, useItems } from '@snapnote/client/react';
import { useState } from 'react';
import { onSubmit } from '../ui/form.tsx';
import { Icon } from '../ui/icons.tsx';

/** Adds a task at the end of the manual order. */
export function AddTask({ courseId }: { courseId: string | null }) {
  const client = useClient();
  const tasks = useItems('Task');
  const [title, setTitle] = useState('');
  const [dueOn, setDueOn] = useState('');
  const add = async () => {
    if (!title.trim()) return;
    const id = newId();
    const positions = positionsOf(id, inOrder(tasks), null);
    setTitle('');
    setDueOn('');
    await client.create('Task', { title: title.trim(), courseId, due: dueOn || null, position: positions.get(id) ?? null }, id);
    for (const [other, position] of positions) if (other !== id) await client.update('Task', other, { position });
  };
  return (
    <form className="add-task" onSubmit={onSubmit(() => void add())}>
      <input className="input" aria-label="New task" placeholder="Add a task" maxLength={200} value={title} onChange={({ target }) => setTitle(target.value)} />
      <input className="input add-task-due" type="date" aria-label="Due date of the new task" value={dueOn} onChange={({ target }) => setDueOn(target.value)} />
      <button type="submit" className="button" aria-label="Add task">
        <Icon name="plus" />
        <span>Add</span>
      </button>
    </form>
  );
}
