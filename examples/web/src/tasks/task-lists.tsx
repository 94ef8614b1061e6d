import { inOrder, type ItemOf } from '@snapnote/client';
import { useSyncState } from '@snapnote/client/react';
import { useMemo, useState } from 'react';
import { Empty, Loading } from '../ui/screen.tsx';
import { GROUPS, groupOf, sortByDue } from './due.ts';
import { SortableTasks } from './sortable-tasks.tsx';
import { TaskDialog } from './task-dialog.tsx';
import { TaskRow } from './task-row.tsx';

export type TaskOrder = 'due' | 'manual';
type Task = ItemOf<'Task'>;

interface Props {
  tasks: readonly Task[];
  order: TaskOrder;
  /** Whether each task shows its course. */
  showsCourse?: boolean;
}

/** Open tasks in an order, then the completed ones. */
export function TaskLists({ tasks, order, showsCourse = false }: Props) {
  const { isLoaded } = useSyncState();
  const [edited, setEdited] = useState<string>();
  const open = useMemo(() => tasks.filter(({ fields }) => !fields.completed), [tasks]);
  const sorted = useMemo(() => inOrder(open), [open]);
  const completed = useMemo(() => tasks.filter(({ fields }) => fields.completed).toReversed(), [tasks]);
  const task = tasks.find(({ id }) => id === edited);
  const row = { showsCourse, onEdit: setEdited };
  return (
    <div className="task-lists">
      {open.length === 0 && (isLoaded ? <NoTasks hasCompleted={completed.length > 0} /> : <Loading label="Loading tasks" />)}
      {order === 'manual' ? <SortableTasks tasks={sorted} {...row} /> : <ByDue tasks={open} {...row} />}
      {completed.length > 0 && (
        <details className="task-done">
          <summary>Completed ({completed.length})</summary>
          <ul className="task-list">
            {completed.map((done) => (
              <TaskRow key={done.id} task={done} {...row} />
            ))}
          </ul>
        </details>
      )}
      {task && <TaskDialog task={task} onClose={() => setEdited(undefined)} />}
    </div>
  );
}

function NoTasks({ hasCompleted }: { hasCompleted: boolean }) {
  return (
    <Empty icon="tasks" title={hasCompleted ? 'All done.' : 'No tasks yet'}>
      <p>{hasCompleted ? 'Nothing is open here.' : 'Add the next exercise sheet or exam above.'}</p>
    </Empty>
  );
}

function ByDue({ tasks, ...row }: { tasks: readonly Task[]; showsCourse: boolean; onEdit: (id: string) => void }) {
  const groups = Map.groupBy(sortByDue(tasks), ({ fields }) => groupOf(fields.due));
  return GROUPS.filter((name) => groups.has(name)).map((name) => (
    <section key={name} className="task-group" aria-label={name}>
      <h2>{name}</h2>
      <ul className="task-list">
        {groups.get(name)?.map((task) => <TaskRow key={task.id} task={task} {...row} />)}
      </ul>
    </section>
  ));
}
