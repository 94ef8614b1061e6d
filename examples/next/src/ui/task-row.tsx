'use client';

// A task, and the button that ticks it off.

import { useActionState } from 'react';
import { FormError } from '@/ui/field';

interface TaskRowProps {
  title: string;
  due: string | null;
  isCompleted: boolean;
  action: () => Promise<string | undefined>;
}

export function TaskRow({ title, due, isCompleted, action }: TaskRowProps) {
  const [error, submit, isPending] = useActionState(action, undefined);
  return (
    <li>
      <form action={submit}>
        <button className="task" role="checkbox" aria-checked={isCompleted} disabled={isPending}>
          <span className="tick" aria-hidden="true" />
          <span className="task-title">{title}</span>
          {due && <span className="due">{due}</span>}
        </button>
      </form>
      {error && <FormError text={error} />}
    </li>
  );
}
