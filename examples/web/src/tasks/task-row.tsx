import type { ItemOf } from '@snapnote/client';
import { useClient, useItem } from '@snapnote/client/react';
import type { CSSProperties, ReactNode, Ref } from 'react';
import { TagChips } from '../tags/tag-chips.tsx';
import { announce } from '../ui/announcements.ts';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon } from '../ui/icons.tsx';
import { dueLabel, isOverdue } from './due.ts';

interface Props {
  task: ItemOf<'Task'>;
  showsCourse: boolean;
  onEdit: (id: string) => void;
  /** The handle of a list that can be sorted. */
  handle?: ReactNode;
  ref?: Ref<HTMLLIElement>;
  style?: CSSProperties;
  isDragged?: boolean;
}

export function TaskRow({ task: { id, fields }, showsCourse, onEdit, handle, ref, style, isDragged = false }: Props) {
  const client = useClient();
  const toggle = () => {
    void client.update('Task', id, { completed: !fields.completed });
    announce(fields.completed ? `“${fields.title}” is open again.` : `“${fields.title}” is completed.`);
  };
  return (
    <li ref={ref} style={style} className={isDragged ? 'task task-dragged' : 'task'} data-priority={fields.priority} data-task={fields.title}>
      {handle}
      <input type="checkbox" checked={fields.completed} onChange={toggle} aria-label={`Complete “${fields.title}”`} />
      <div className="task-text">
        <button type="button" className="task-title" onClick={() => onEdit(id)}>
          {fields.title}
        </button>
        <TaskFacts fields={fields} showsCourse={showsCourse} />
      </div>
    </li>
  );
}

function TaskFacts({ fields, showsCourse }: { fields: ItemOf<'Task'>['fields']; showsCourse: boolean }) {
  const course = useItem('Course', fields.courseId ?? '');
  const hasCourse = showsCourse && course;
  if (!fields.due && !hasCourse && fields.tagIds.length === 0 && fields.priority === 'NORMAL') return null;
  return (
    <div className="task-facts">
      {fields.due && (
        <span className={isOverdue(fields.due) && !fields.completed ? 'due due-overdue' : 'due'}>
          <Icon name="clock" size={15} />
          {dueLabel(fields.due)}
        </span>
      )}
      {fields.priority !== 'NORMAL' && <span className="priority">{fields.priority === 'HIGH' ? 'High priority' : 'Low priority'}</span>}
      {hasCourse && (
        <span className="task-course">
          <span className="swatch" style={{ background: course.fields.color ?? DEFAULT_COLOR }} />
          {course.fields.name}
        </span>
      )}
      <TagChips ids={fields.tagIds} />
    </div>
  );
}
