import { useItems } from '@snapnote/client/react';
import { useState } from 'react';
import { Segmented } from '../ui/form.tsx';
import { Screen } from '../ui/screen.tsx';
import { AddTask } from './add-task.tsx';
import { TaskLists, type TaskOrder } from './task-lists.tsx';

const KEY = 'snapnote:task-order';

/** All tasks, by due date or in the user's own order. */
export default function TasksScreen() {
  const tasks = useItems('Task');
  const [order, setOrder] = useState<TaskOrder>(() => (localStorage.getItem(KEY) === 'manual' ? 'manual' : 'due'));
  const choose = (next: TaskOrder) => {
    localStorage.setItem(KEY, next);
    setOrder(next);
  };
  const choice = <Segmented label="Order" value={order} onChange={choose} options={[['due', 'By due date'], ['manual', 'My order']]} />;
  return (
    <Screen title="Tasks" actions={choice} className="tasks-screen">
      <AddTask courseId={null} />
      <TaskLists tasks={tasks} order={order} showsCourse />
    </Screen>
  );
}
