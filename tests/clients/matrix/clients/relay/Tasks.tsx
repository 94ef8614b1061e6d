// Relay: artifacts of relay-compiler, and the hooks of react-relay. Lists use `@connection`, `@refetchable`, `@appendNode` and
// `@deleteEdge`. Subscriptions use graphql-sse.
import { createClient } from 'graphql-sse';
import { Suspense, useEffect } from 'react';
import {
  graphql, RelayEnvironmentProvider, useFragment, useLazyLoadQuery, useMutation, usePaginationFragment, useSubscription,
} from 'react-relay';
import { create } from 'react-test-renderer';
import {
  commitMutation, Environment, fetchQuery, Network, Observable, RecordSource, Store,
  type GraphQLResponse, type GraphQLTaggedNode, type MutationParameters, type OperationType, type PayloadError,
} from 'relay-runtime';
import type { TasksByIdQuery } from '../../generated/relay/TasksByIdQuery.graphql';
import type { TasksCompletedMutation } from '../../generated/relay/TasksCompletedMutation.graphql';
import type { TasksCreateCourseMutation } from '../../generated/relay/TasksCreateCourseMutation.graphql';
import type { TasksCreateDocumentMutation } from '../../generated/relay/TasksCreateDocumentMutation.graphql';
import type { TasksCreateMutation } from '../../generated/relay/TasksCreateMutation.graphql';
import type { TasksCursorQuery } from '../../generated/relay/TasksCursorQuery.graphql';
import type { TasksDeleteMutation } from '../../generated/relay/TasksDeleteMutation.graphql';
import type { TasksLiveSubscription } from '../../generated/relay/TasksLiveSubscription.graphql';
import type { TasksMeQuery } from '../../generated/relay/TasksMeQuery.graphql';
import type { TasksPageQuery } from '../../generated/relay/TasksPageQuery.graphql';
import type { TasksPromoteMutation } from '../../generated/relay/TasksPromoteMutation.graphql';
import type { TasksSignUpMutation } from '../../generated/relay/TasksSignUpMutation.graphql';
import type { TasksTooManyQuery } from '../../generated/relay/TasksTooManyQuery.graphql';
import type { TasksTrashMutation } from '../../generated/relay/TasksTrashMutation.graphql';
import type { TasksUpdateMeMutation } from '../../generated/relay/TasksUpdateMeMutation.graphql';
import type { Tasks_all$key } from '../../generated/relay/Tasks_all.graphql';
import type { Tasks_course$key } from '../../generated/relay/Tasks_course.graphql';
import type { Tasks_row$key } from '../../generated/relay/Tasks_row.graphql';
import {
  assert, avatarUrl, dueAt, dueAtInUtc, dueOn, metadata, newUser, pageSize, renameElsewhere, run, titles, until, url,
} from '../support';

const SignUp = graphql`
  mutation TasksSignUpMutation($input: SignUpInput!) {
    signUp(input: $input) { accessToken user { id name } userErrors { code field message } }
  }
`;
const UpdateMe = graphql`
  mutation TasksUpdateMeMutation($input: UpdateMeInput!) { updateMe(input: $input) { user { id avatarUrl } userErrors { code } } }
`;
const CreateCourse = graphql`
  mutation TasksCreateCourseMutation($input: CreateCourseInput!) {
    createCourse(input: $input) { course { id name color } userErrors { code field } }
  }
`;
const CreateDocument = graphql`
  mutation TasksCreateDocumentMutation($input: CreateDocumentInput!) {
    createDocument(input: $input) { document { id title metadata } userErrors { code field } }
  }
`;
// A payload has the item and no edge, so it takes `@appendNode` or `@prependNode`, which make the edge.
const CreateTask = graphql`
  mutation TasksCreateMutation($input: CreateTaskInput!, $connections: [ID!]!) {
    createTask(input: $input) {
      task @appendNode(connections: $connections, edgeTypeName: "TaskEdge") {
        id dueAt dueOn priority createdAt
        ...Tasks_row
      }
      userErrors { code field message }
    }
  }
`;
const Complete = graphql`
  mutation TasksCompletedMutation($input: UpdateTaskInput!) {
    updateTask(input: $input) { task { id completed version } userErrors { code field } }
  }
`;
const Trash = graphql`
  mutation TasksTrashMutation($input: ItemIdsInput!, $connections: [ID!]!) {
    trashItems(input: $input) { items { id @deleteEdge(connections: $connections) status } userErrors { code } }
  }
`;
const Delete = graphql`
  mutation TasksDeleteMutation($input: ItemIdsInput!) {
    deleteItems(input: $input) { deletedIds @deleteRecord userErrors { code } }
  }
`;
const Row = graphql`fragment Tasks_row on Task { title completed version }`;
// `Course` implements `Node`, so the fragment can be refetched by the course's id.
const CourseTasks = graphql`
  fragment Tasks_course on Course
  @refetchable(queryName: "TasksCoursePaginationQuery")
  @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" }, filter: { type: "TaskFilter" }) {
    name
    tasks(first: $first, after: $after, filter: $filter, orderBy: [{ field: TITLE }])
    @connection(key: "Tasks_course_tasks", filters: ["filter"]) {
      __id
      edges { node { id ...Tasks_row } }
    }
  }
`;
const AllTasks = graphql`
  fragment Tasks_all on Query
  @refetchable(queryName: "TasksAllPaginationQuery")
  @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" }) {
    tasks(first: $first, after: $after, orderBy: [{ field: TITLE }]) @connection(key: "Tasks_all_tasks") {
      edges { node { id } }
    }
  }
`;
const Page = graphql`
  query TasksPageQuery($id: ID!, $first: Int!) {
    course(id: $id) { id ...Tasks_course @arguments(first: $first) }
    ...Tasks_all @arguments(first: $first)
  }
`;
const ById = graphql`
  query TasksByIdQuery($id: ID!, $ids: [ID!]!) {
    node(id: $id) { __typename id ... on Task { title completed version } }
    nodes(ids: $ids) {
      __typename id
      ... on Item { version }
      ... on CourseItem { title }
      ... on Course { name }
    }
  }
`;
const Promote = graphql`
  mutation TasksPromoteMutation($input: SetUserRoleInput!) { setUserRole(input: $input) { user { id } userErrors { code } } }
`;
const TooMany = graphql`query TasksTooManyQuery { tasks(first: 500) { nodes { id } } }`;
const Me = graphql`query TasksMeQuery { me { id name } }`;
const Cursor = graphql`query TasksCursorQuery { changesCursor }`;
const Live = graphql`
  subscription TasksLiveSubscription($after: String) {
    changes(after: $after) { action itemId version item { __typename id ...Tasks_row @alias(as: "task") } }
  }
`;

let token: string | undefined;
const headers = (): Record<string, string> => (token === undefined ? {} : { authorization: `Bearer ${token}` });
const events = createClient({ url, headers });
const environment = new Environment({
  network: Network.create(
    async ({ text }, variables) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json', accept: 'application/graphql-response+json, application/json;q=0.9', ...headers(),
        },
        body: JSON.stringify({ query: text, variables }),
      });
      const result = (await response.json()) as GraphQLResponse;
      // `me` and the fields of mutations are null after an error. Without this, Relay reads that null and reports nothing.
      if (response.status === 401) throw Object.assign(new Error('not signed in'), { source: result });
      return result;
    },
    ({ text }, variables) => Observable.create((sink) =>
      events.subscribe<GraphQLResponse>({ query: text ?? assert.fail(), variables }, {
        next: (event) => sink.next(event as GraphQLResponse),
        error: (error) => sink.error(error as Error),
        complete: () => sink.complete(),
      })),
  ),
  store: new Store(new RecordSource()),
});

/** The code of a request error. Relay attaches the response to the error as `source`. */
const codeOf = (error: unknown) => {
  const { source } = error as { source?: { errors?: { extensions?: { code?: string } }[] } };
  return source?.errors?.[0]?.extensions?.code ?? error;
};
const query = <Q extends OperationType>(document: GraphQLTaggedNode, variables: Q['variables']): Promise<Q['response'] | undefined> =>
  fetchQuery<Q>(environment, document, variables).toPromise();
const mutate = <M extends MutationParameters>(mutation: GraphQLTaggedNode, variables: M['variables']) =>
  new Promise<{ data: M['response']; errors: readonly PayloadError[] | null | undefined }>((done, failed) => {
    commitMutation<M>(environment, {
      mutation, variables, onCompleted: (data, errors) => done({ data, errors }), onError: failed,
    });
  });

/** What the page shows and what its buttons do, after each time that it is rendered. */
interface Screen {
  ids: string[];
  all: string[];
  connection: string;
  hasNext: boolean;
  loadNext(): void;
  loadAll(): void;
  refetch(completed: boolean | null): void;
  complete(id: string): void;
}
const screens: Screen[] = [];
const screen = () => screens.at(-1) ?? assert.fail('nothing is shown');
const changes: string[] = [];

function Course({ course, all }: { course: Tasks_course$key; all: Tasks_all$key }) {
  const { data, loadNext, hasNext, refetch } = usePaginationFragment(CourseTasks, course);
  const everything = usePaginationFragment(AllTasks, all);
  const [complete] = useMutation<TasksCompletedMutation>(Complete);
  const shown: Screen = {
    ids: data.tasks.edges.map(({ node }) => node.id),
    all: everything.data.tasks.edges.map(({ node }) => node.id),
    connection: data.tasks.__id,
    hasNext,
    loadNext: () => void loadNext(pageSize),
    loadAll: () => void everything.loadNext(pageSize),
    refetch: (completed) => void refetch({ filter: { completed } }, { fetchPolicy: 'store-and-network' }),
    complete: (id) => void complete({
      variables: { input: { id, completed: true, version: 1 } },
      optimisticResponse: { updateTask: { task: { id, completed: true, version: 1 }, userErrors: [] } },
    }),
  };
  useEffect(() => void screens.push(shown));
  return data.tasks.edges.map(({ node }) => <Task key={node.id} id={node.id} task={node} />);
}

/** Each state in which a task was shown. */
const states: string[] = [];
const titleOf = new Map<string, string>();

function Task({ id, task }: { id: string; task: Tasks_row$key }) {
  const { title, completed, version } = useFragment(Row, task);
  useEffect(() => {
    titleOf.set(id, title);
    states.push(`${title} ${completed} ${version}`);
  }, [id, title, completed, version]);
  return title;
}

function App({ id }: { id: string }) {
  const data = useLazyLoadQuery<TasksPageQuery>(Page, { id, first: pageSize });
  return data.course && <Course course={data.course} all={data} />;
}

function Listener({ after }: { after: string }) {
  useSubscription<TasksLiveSubscription>({
    subscription: Live,
    variables: { after },
    onNext: (data) => {
      if (data) changes.push(`${data.changes.action} ${data.changes.item?.__typename} ${data.changes.version}`);
    },
  });
  return null;
}

run(async () => {
  const warnings: unknown[] = [];
  console.warn = console.error = (warning) => void warnings.push(warning);

  // Sign up.
  const credentials = newUser('relay');
  const { signUp } = (await mutate<TasksSignUpMutation>(SignUp, { input: credentials })).data;
  assert.deepEqual(signUp?.userErrors, []);
  token = signUp?.accessToken ?? assert.fail();
  assert.equal(signUp?.user?.name, credentials.name);

  // Items with variables, and each custom scalar.
  const { data: created } = await mutate<TasksCreateCourseMutation>(CreateCourse, { input: { name: 'Algebra', color: '#4F6BED' } });
  const course = created.createCourse?.course ?? assert.fail();
  assert.equal(course.color, '#4F6BED');
  const { data: document } = await mutate<TasksCreateDocumentMutation>(CreateDocument, {
    input: { courseId: course.id, title: 'Groups', originalText: '', formattedNote: '# Groups', metadata },
  });
  assert.deepEqual(document.createDocument?.document?.metadata, metadata);
  const { data: avatar } = await mutate<TasksUpdateMeMutation>(UpdateMe, { input: { avatarUrl } });
  assert.equal(avatar.updateMe?.user?.avatarUrl, avatarUrl);
  const ids: string[] = [];
  for (const [index, title] of titles.entries()) {
    const due = index === 0 ? { dueAt } : { dueOn };
    const { data } = await mutate<TasksCreateMutation>(CreateTask, {
      input: { courseId: course.id, title, priority: 'HIGH', ...due }, connections: [],
    });
    const task = data.createTask?.task ?? assert.fail();
    assert.equal(task.dueAt, index === 0 ? dueAtInUtc : null);
    assert.equal(task.dueOn, index === 0 ? null : dueOn);
    assert.equal(task.priority, 'HIGH');
    assert.match(task.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    ids.push(task.id);
  }

  // Two pages with `@connection` and `@refetchable`, of a course (through `node`) and of all tasks.
  const page = (more: boolean) => (
    <RelayEnvironmentProvider environment={environment}>
      <Suspense fallback={null}><App id={course.id} /></Suspense>
      {more && <Listener after={cursor} />}
    </RelayEnvironmentProvider>
  );
  let cursor = '';
  const root = create(page(false));
  await until('the first page', () => screens.length > 0 && titleOf.size === pageSize);
  assert.deepEqual([screen().ids.map((id) => titleOf.get(id)), screen().hasNext], [titles.slice(0, pageSize), true]);
  screen().loadNext();
  await until('the second page', () => screen().ids.length === titles.length);
  assert.deepEqual([screen().ids, screen().hasNext], [ids, false]);
  screen().loadAll();
  await until('the second page of all tasks', () => screen().all.length === titles.length);
  assert.deepEqual(screen().all, ids);

  // An optimistic update shows at once, and the response confirms it with the new version.
  const second = ids[1] ?? assert.fail();
  const before = states.length;
  screen().complete(second);
  await until('the confirmed update', () => states.at(-1) === 'Sheet 2 true 2');
  assert.deepEqual(states.slice(before), ['Sheet 2 true 1', 'Sheet 2 true 2']);

  // `filters` makes a connection of its own for each filter.
  const { connection } = screen();
  screen().refetch(true);
  await until('the completed tasks', () => screen().ids.length === 1);
  assert.deepEqual(screen().ids, [second]);
  assert.notEqual(screen().connection, connection);
  screen().refetch(null);
  await until('all tasks of the course', () => screen().ids.length >= pageSize && screen().connection !== connection);
  screen().loadNext();
  await until('the second page', () => screen().ids.length === titles.length);

  // `@appendNode` adds a new task to the list once, and nothing if the mutation failed.
  const connections = [screen().connection];
  const input = { courseId: course.id, title: 'Sheet 8', id: crypto.randomUUID() };
  for (const _ of ['create', 'repeat']) await mutate<TasksCreateMutation>(CreateTask, { input, connections });
  const { data: blank } = await mutate<TasksCreateMutation>(CreateTask, { input: { title: ' ' }, connections });
  const [userError] = blank.createTask?.userErrors ?? [];
  assert.deepEqual([userError?.code, userError?.field, blank.createTask?.task], ['BLANK', ['input', 'title'], null]);
  await until('the new task', () => screen().ids.length === titles.length + 1);
  assert.deepEqual(screen().ids, [...ids, input.id]);

  // `@deleteEdge` removes a trashed task from the list, and `@deleteRecord` a deleted one from the store.
  const { data: trashed } = await mutate<TasksTrashMutation>(Trash, { input: { ids: [input.id] }, connections });
  assert.equal(trashed.trashItems?.items?.[0]?.status, 'TRASH');
  await until('the trashed task to disappear', () => screen().ids.length === titles.length);
  const { data: deleted } = await mutate<TasksDeleteMutation>(Delete, { input: { ids: [input.id] } });
  assert.deepEqual(deleted.deleteItems?.deletedIds, [input.id]);
  assert.equal(environment.getStore().getSource().get(input.id), null);

  // `node` reads the same record, and `nodes` resolves fragments on interfaces.
  const byId = await query<TasksByIdQuery>(ById, {
    id: second, ids: [course.id, second, '00000000-0000-0000-0000-000000000000'],
  }) ?? assert.fail();
  assert(byId.node?.__typename === 'Task');
  assert.equal(byId.node.completed, true);
  const [foundCourse, foundTask, missing] = byId.nodes;
  assert.deepEqual([foundCourse?.__typename, foundCourse?.name, foundCourse?.version], ['Course', 'Algebra', 1]);
  assert.deepEqual([foundTask?.__typename, foundTask?.title, foundTask?.version, missing], ['Task', titles[1], 2, null]);
  assert.equal(environment.getStore().getSource().get(second)?.['completed'], true);

  // Errors of the request. A failed query rejects, and a failed mutation completes with errors.
  assert.equal(await query<TasksTooManyQuery>(TooMany, {}).catch(codeOf), 'BAD_USER_INPUT');
  const promoted = await mutate<TasksPromoteMutation>(Promote, { input: { userId: signUp.user?.id ?? '', role: 'ADMIN' } });
  assert.equal(promoted.data.setUserRole, null);
  assert.equal(codeOf({ source: promoted }), 'FORBIDDEN');
  const valid = token;
  token = 'invalid';
  assert.equal(await query<TasksMeQuery>(Me, {}).catch(codeOf), 'UNAUTHENTICATED');
  token = valid;

  // A change from another device arrives, and updates the list by the task's id.
  cursor = (await query<TasksCursorQuery>(Cursor, {}))?.changesCursor ?? assert.fail();
  root.update(page(true));
  const version = await renameElsewhere(token, ids[2] ?? assert.fail(), 'Renamed');
  await until('the live update', () => states.at(-1) === `Renamed false ${version}`);
  assert.deepEqual(changes, [`UPDATED Task ${version}`]);

  assert.deepEqual(warnings, [
    'react-test-renderer is deprecated. See https://react.dev/warnings/react-test-renderer',
    'Warning: MutationHandlers: Expected target node to exist.', // `@appendNode` after the failed mutation.
  ]);
});

// The types reject what the schema does not allow.
export const rejected: TasksCreateMutation['variables'][] = [
  // @ts-expect-error `dueAt` is a string.
  { input: { title: 'A', dueAt: new Date() }, connections: [] },
  // @ts-expect-error `VERY_HIGH` is not a priority.
  { input: { title: 'A', priority: 'VERY_HIGH' }, connections: [] },
  // @ts-expect-error `title` is required.
  { input: {}, connections: [] },
];
