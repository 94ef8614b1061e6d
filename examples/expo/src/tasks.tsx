// The user's open tasks.

import { RequestFailed, type Session } from '@snapnote/client';
import { randomUUID } from 'expo-crypto';
import { useCallback, useEffect, useState } from 'react';
import { FlatList, Pressable, Text } from 'react-native';
import { draftsWith } from './draft.ts';
import { graphql } from './gql/index.ts';
import type { TasksQuery, TypedDocumentString } from './gql/graphql.ts';
import { Button, Field, Screen, styles, useColors } from './look.tsx';
import type { Request } from './request.ts';
import { describe, textOf } from './texts.ts';

const TASKS = graphql(`
  query Tasks {
    tasks(first: 100, filter: { completed: false }, orderBy: [{ field: DUE_AT }, { field: CREATED_AT }]) {
      nodes {
        id
        title
        dueAt
        dueOn
      }
    }
  }
`);

const CREATE_TASK = graphql(`
  mutation CreateTask($id: ID!, $title: String!) {
    result: createTask(input: { id: $id, title: $title }) {
      userErrors {
        code
      }
    }
  }
`);

const COMPLETE_TASK = graphql(`
  mutation CompleteTask($id: ID!) {
    result: completeTasks(input: { ids: [$id] }) {
      userErrors {
        code
      }
    }
  }
`);

type Change<V> = TypedDocumentString<{ result: { userErrors: { code: string }[] } | null }, V>;
type Task = TasksQuery['tasks']['nodes'][number];

const drafts = draftsWith(randomUUID);

interface TasksProps {
  session: Session;
  request: Request;
  onSignedOut: () => void;
}

export function Tasks({ session, request, onSignedOut }: TasksProps) {
  const [tasks, setTasks] = useState<readonly Task[]>([]);
  const [draft, setDraft] = useState(drafts.empty);
  const [problem, setProblem] = useState<string>();

  const failed = useCallback(
    (error: unknown) => {
      if (error instanceof RequestFailed && error.code === 'UNAUTHENTICATED') onSignedOut();
      setProblem(describe(error));
    },
    [onSignedOut],
  );
  const load = useCallback(() => request(TASKS, {}).then(({ tasks }) => setTasks(tasks.nodes)), [request]);
  useEffect(() => {
    load().catch(failed);
  }, [load, failed]);

  /** Sends a change. Returns whether the service accepted it. */
  async function change<V>(document: Change<V>, variables: V): Promise<boolean> {
    try {
      const error = (await request(document, variables)).result?.userErrors[0];
      setProblem(error && textOf(error.code));
      if (!error) await load();
      return !error;
    } catch (error) {
      failed(error);
      return false;
    }
  }

  async function add() {
    const isCreated = await change(CREATE_TASK, draft);
    setDraft((current) => drafts.afterSending(current, isCreated));
  }

  return (
    <Screen title="Tasks">
      <Field
        label="New task"
        value={draft.title}
        onChangeText={(title) => setDraft((current) => drafts.edited(current, title))}
        onSubmitEditing={() => void add()}
        error={problem}
      />
      <Button label="Add task" onPress={() => void add()} />
      <FlatList
        data={tasks}
        keyExtractor={({ id }) => id}
        renderItem={({ item }) => <Row task={item} onDone={() => void change(COMPLETE_TASK, { id: item.id })} />}
      />
      <Button label="Sign out" onPress={() => void session.signOut().then(onSignedOut)} />
    </Screen>
  );
}

function Row({ task: { title, dueAt, dueOn }, onDone }: { task: Task; onDone: () => void }) {
  const { ink } = useColors();
  const due = dueOn ?? (dueAt && new Date(dueAt).toLocaleString());
  return (
    <Pressable accessibilityRole="checkbox" accessibilityState={{ checked: false }} onPress={onDone} style={styles.row}>
      <Text style={[styles.text, { color: ink }]}>
        ☐ {title}
        {due ? ` (${due})` : ''}
      </Text>
    </Pressable>
  );
}
