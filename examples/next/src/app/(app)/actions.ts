'use server';

// What users change. The browser gets the errors and the values, never a token.

import { refresh } from 'next/cache';
import { graphql } from '@/gql';
import { asUser, type Result } from '@/service/as-user';
import { describe, textsByField, type UserError } from '@/service/texts';

/** The state of a form: its errors by field, and the values to show with them. */
export interface FormState {
  /** The id of the item. A repeated form makes no second item. */
  id: string;
  values: Record<string, string>;
  errors: Record<string, string>;
}

const CREATE_COURSE = graphql(`
  mutation CreateCourse($input: CreateCourseInput!) {
    result: createCourse(input: $input) {
      userErrors {
        code
        field
      }
    }
  }
`);

const CREATE_TASK = graphql(`
  mutation CreateTask($input: CreateTaskInput!) {
    result: createTask(input: $input) {
      userErrors {
        code
        field
      }
    }
  }
`);

const UPDATE_TASK = graphql(`
  mutation UpdateTask($input: UpdateTaskInput!) {
    result: updateTask(input: $input) {
      userErrors {
        code
        field
      }
    }
  }
`);

/** The errors of a change, by field. Without errors, the page is rendered again. */
function errorsOf({ data, failure }: Result<{ result: { userErrors: readonly UserError[] } | null }>): Record<string, string> {
  if (failure) {
    const { title, advice } = describe(failure);
    return { form: `${title}. ${advice}` };
  }
  const errors = textsByField(data.result?.userErrors ?? []);
  if (Object.keys(errors).length === 0) refresh();
  return errors;
}

/** The next state of a form for a new item. */
function nextState(id: string, values: Record<string, string>, errors: Record<string, string>): FormState {
  const isCreated = Object.keys(errors).length === 0;
  return { id: isCreated ? crypto.randomUUID() : id, values: isCreated ? {} : values, errors };
}

const text = (form: FormData, name: string) => String(form.get(name) ?? '');

export async function createCourse({ id }: FormState, form: FormData): Promise<FormState> {
  const name = text(form, 'name');
  return nextState(id, { name }, errorsOf(await asUser(CREATE_COURSE, { input: { id, name } })));
}

export async function createTask(courseId: string, { id }: FormState, form: FormData): Promise<FormState> {
  const [title, dueOn] = [text(form, 'title'), text(form, 'dueOn')];
  const input = { id, courseId, title, ...(dueOn && { dueOn }) };
  return nextState(id, { title, dueOn }, errorsOf(await asUser(CREATE_TASK, { input })));
}

export async function setCompleted(id: string, completed: boolean): Promise<string | undefined> {
  const errors = errorsOf(await asUser(UPDATE_TASK, { input: { id, completed } }));
  return Object.values(errors)[0];
}
