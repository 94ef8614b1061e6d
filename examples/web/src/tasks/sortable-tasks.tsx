// A list of tasks that is sorted by dragging, or with the keyboard: Space lifts a task, the arrows move it, Space drops it.

import { closestCenter, DndContext, KeyboardSensor, PointerSensor, useSensor, useSensors, type Announcements, type DragEndEvent } from '@dnd-kit/core';
import { arrayMove, SortableContext, sortableKeyboardCoordinates, useSortable, verticalListSortingStrategy } from '@dnd-kit/sortable';
import { inOrder, positionsOf, type ItemOf, type OfflineClient } from '@snapnote/client';
import { useClient } from '@snapnote/client/react';
import { useMemo } from 'react';
import { Icon } from '../ui/icons.tsx';
import { TaskRow } from './task-row.tsx';

type Task = ItemOf<'Task'>;

interface Props {
  /** In their manual order. */
  tasks: readonly Task[];
  showsCourse: boolean;
  onEdit: (id: string) => void;
}

const INSTRUCTIONS = { draggable: 'Press Space to lift the task, the arrow keys to move it, Space to drop it, and Escape to cancel.' };

/** What screen readers say while a task is moved. No place is announced twice in a row. */
function announcementsOf(tasks: readonly Task[]): Announcements {
  let last: string | number = '';
  const title = (id: string | number) => tasks.find((task) => task.id === id)?.fields.title ?? 'the task';
  const place = (id: string | number) => `${tasks.findIndex((task) => task.id === id) + 1} of ${tasks.length}`;
  return {
    onDragStart: ({ active }) => {
      last = active.id;
      return `Lifted “${title(active.id)}”, at ${place(active.id)}.`;
    },
    onDragOver: ({ active, over }) => {
      if (!over || over.id === last) return undefined;
      last = over.id;
      return `“${title(active.id)}” is at ${place(over.id)}.`;
    },
    onDragEnd: ({ active, over }) => `Dropped “${title(active.id)}”${over ? ` at ${place(over.id)}` : ''}.`,
    onDragCancel: ({ active }) => `“${title(active.id)}” stays where it was.`,
  };
}

/**
 * Stores the new place of a task: before the task that follows it in this list. The list may be a part of all tasks, such as those of a
 * course, so the positions are chosen among all tasks.
 */
async function move(client: OfflineClient, tasks: readonly Task[], from: number, to: number): Promise<void> {
  const moved = tasks[from];
  if (!moved || from === to) return;
  const next = arrayMove([...tasks], from, to);
  const [before, after] = [next[to - 1], next[to + 1]];
  const all = [...client.items().values()].filter((item): item is Task => item.type === 'Task' && item.status === 'ACTIVE');
  const others = inOrder(all).filter(({ id }) => id !== moved.id);
  const end = before ? (others[others.findIndex(({ id }) => id === before.id) + 1]?.id ?? null) : null;
  for (const [id, position] of positionsOf(moved.id, others, after?.id ?? end)) await client.update('Task', id, { position });
}

export function SortableTasks({ tasks, ...row }: Props) {
  const client = useClient();
  const announcements = useMemo(() => announcementsOf(tasks), [tasks]);
  const sensors = useSensors(
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const indexOf = (id: string | number) => tasks.findIndex((task) => task.id === id);
  const onDragEnd = ({ active, over }: DragEndEvent) => {
    if (over) void move(client, tasks, indexOf(active.id), indexOf(over.id));
  };
  return (
    <DndContext
      sensors={sensors}
      collisionDetection={closestCenter}
      onDragEnd={onDragEnd}
      accessibility={{ announcements, screenReaderInstructions: INSTRUCTIONS }}
    >
      <SortableContext items={tasks.map(({ id }) => id)} strategy={verticalListSortingStrategy}>
        <ul className="task-list">
          {tasks.map((task) => (
            <SortableTask key={task.id} task={task} {...row} />
          ))}
        </ul>
      </SortableContext>
    </DndContext>
  );
}

function SortableTask({ task, ...row }: Omit<Props, 'tasks'> & { task: Task }) {
  const { attributes, listeners, setNodeRef, setActivatorNodeRef, transform, transition, isDragging } = useSortable({ id: task.id });
  const style = { transform: transform ? `translate3d(0, ${Math.round(transform.y)}px, 0)` : undefined, transition };
  const handle = (
    <button ref={setActivatorNodeRef} type="button" className="task-handle" {...attributes} {...listeners} aria-label={`Move “${task.fields.title}”`}>
      <Icon name="grip" />
    </button>
  );
  return <TaskRow ref={setNodeRef} style={style} task={task} handle={handle} isDragged={isDragging} {...row} />;
}
