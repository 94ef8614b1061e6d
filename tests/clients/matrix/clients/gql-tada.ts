// gql.tada, which infers types from the documents, with urql's document cache, and subscriptions over graphql-ws.
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { initGraphQLTada, readFragment, type ResultOf, type VariablesOf } from 'gql.tada';
import { createClient, type Sink } from 'graphql-ws';
import WebSocket from 'ws';
import type { introspection } from '../generated/tada';
import {
  assert, avatarUrl, dueAt, dueAtInUtc, dueOn, metadata, newUser, pageSize, renameElsewhere, run, socketUrl, titles, until, url,
} from './support';

// Scalars that are not listed here would be `unknown`.
interface Scalars { Date: string; DateTime: string; JSONObject: Record<string, unknown>; URL: string }
const graphql = initGraphQLTada<{ introspection: introspection; scalars: Scalars }>();

const SignUp = graphql(`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) { accessToken user { id name } userErrors { code field message } }
  }
`);
const UpdateMe = graphql(`
  mutation UpdateMe($input: UpdateMeInput!) { updateMe(input: $input) { user { id avatarUrl } userErrors { code } } }
`);
const CreateCourse = graphql(`
  mutation CreateCourse($input: CreateCourseInput!) {
    createCourse(input: $input) { course { id name color } userErrors { code field } }
  }
`);
const CreateDocument = graphql(`
  mutation CreateDocument($input: CreateDocumentInput!) {
    createDocument(input: $input) { document { id title metadata } userErrors { code field } }
  }
`);
const TaskRow = graphql(`fragment TaskRow on Task { id title completed version }`);
const CreateTask = graphql(`
  mutation CreateTask($input: CreateTaskInput!) {
    createTask(input: $input) { task { ...TaskRow dueAt dueOn priority createdAt } userErrors { code field message } }
  }
`, [TaskRow]);
const Tasks = graphql(`
  query Tasks($courseId: ID!, $first: Int!, $after: String) {
    tasks(filter: { courseId: $courseId }, orderBy: [{ field: TITLE }], first: $first, after: $after) {
      nodes { ...TaskRow }
      pageInfo { endCursor hasNextPage }
    }
  }
`, [TaskRow]);
const UpdateTask = graphql(`
  mutation UpdateTask($input: UpdateTaskInput!) {
    updateTask(input: $input) { task { ...TaskRow } userErrors { code field } }
  }
`, [TaskRow]);
const ById = graphql(`
  query ById($id: ID!, $ids: [ID!]!) {
    node(id: $id) { __typename id ... on Task { title completed version } }
    nodes(ids: $ids) {
      __typename id
      ... on Item { version }
      ... on CourseItem { title }
      ... on Course { name }
    }
  }
`);
const TooMany = graphql(`query TooMany { tasks(first: 500) { nodes { id } } }`);
const Me = graphql(`query Me { me { id name } }`);
const Cursor = graphql(`query Cursor { changesCursor }`);
const Changes = graphql(`
  subscription Changes($after: String) {
    changes(after: $after) { action itemId version item { __typename id ... on Task { title completed version } } }
  }
`);

run(async () => {
  let token: string | undefined;
  const socket = createClient({
    url: socketUrl, webSocketImpl: WebSocket, connectionParams: () => ({ Authorization: `Bearer ${token}` }),
  });
  const client = new Client({
    url,
    fetchOptions: () => ({ headers: token === undefined ? {} : { authorization: `Bearer ${token}` } }),
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({
          // With `exactOptionalPropertyTypes`, the types of urql and graphql-ws differ in `undefined`, so this needs `as Sink`.
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink as Sink) }),
        }),
      }),
    ],
  });

  // Sign up.
  const credentials = newUser('gql-tada');
  const signedUp = await client.mutation(SignUp, { input: credentials });
  assert.deepEqual(signedUp.data?.signUp?.userErrors, []);
  token = signedUp.data?.signUp?.accessToken ?? assert.fail();
  assert.equal(signedUp.data?.signUp?.user?.name, credentials.name);

  // Items with variables, and each custom scalar.
  const created = await client.mutation(CreateCourse, { input: { name: 'Algebra', color: '#4F6BED' } });
  const course = created.data?.createCourse?.course ?? assert.fail();
  assert.equal(course.color, '#4F6BED');
  const document = await client.mutation(CreateDocument, {
    input: { courseId: course.id, title: 'Groups', originalText: '', formattedNote: '# Groups', metadata },
  });
  assert.deepEqual(document.data?.createDocument?.document?.metadata, metadata);
  const avatar = await client.mutation(UpdateMe, { input: { avatarUrl } });
  assert.equal(avatar.data?.updateMe?.user?.avatarUrl, avatarUrl);
  const ids: string[] = [];
  for (const [index, title] of titles.entries()) {
    const due = index === 0 ? { dueAt } : { dueOn };
    const { data } = await client.mutation(CreateTask, { input: { courseId: course.id, title, priority: 'HIGH', ...due } });
    const task = data?.createTask?.task ?? assert.fail();
    assert.equal(task.dueAt, index === 0 ? dueAtInUtc : null);
    assert.equal(task.dueOn, index === 0 ? null : dueOn);
    assert.equal(task.priority, 'HIGH');
    assert.match(task.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    ids.push(readFragment(TaskRow, task).id);
  }

  // Two pages.
  const pages: string[][] = [];
  for (let after: string | null = null, more = true; more; ) {
    const { tasks }: ResultOf<typeof Tasks> = await page(after);
    pages.push(tasks.nodes.map((node) => readFragment(TaskRow, node).id));
    ({ endCursor: after, hasNextPage: more } = tasks.pageInfo);
  }
  async function page(after: string | null) {
    const { data } = await client.query(Tasks, { courseId: course.id, first: pageSize, after });
    return data ?? assert.fail();
  }
  assert.deepEqual(pages, [ids.slice(0, pageSize), ids.slice(pageSize)]);

  // The document cache reads a list again after a mutation that returns an object of the same type.
  const seen: string[][] = [];
  client.query(Tasks, { courseId: course.id, first: pageSize }).subscribe(({ data }) => {
    if (data) seen.push(data.tasks.nodes.map((node) => readFragment(TaskRow, node)).map(({ completed, version }) => `${completed} ${version}`));
  });
  await until('the cached page', () => seen.length > 0);
  const second = ids[1] ?? assert.fail();
  const { data: updated } = await client.mutation(UpdateTask, { input: { id: second, completed: true, version: 1 } });
  assert.equal(readFragment(TaskRow, updated?.updateTask?.task)?.version, 2);
  await until('the updated page', () => seen.at(-1)?.[1] === 'true 2');

  // `__typename` tells the types of an interface apart.
  const { data: byId } = await client.query(ById, {
    id: second, ids: [course.id, second, '00000000-0000-0000-0000-000000000000'],
  });
  assert(byId?.node?.__typename === 'Task');
  assert.equal(byId.node.completed, true);
  const [foundCourse, foundTask, missing] = byId.nodes;
  assert(foundCourse?.__typename === 'Course' && foundTask?.__typename === 'Task');
  assert.deepEqual([foundCourse.name, foundTask.title, foundTask.version, missing], ['Algebra', titles[1], 2, null]);

  // Errors in the input, and errors of the request.
  const blank = await client.mutation(CreateTask, { input: { title: ' ' } });
  const [userError] = blank.data?.createTask?.userErrors ?? [];
  assert.deepEqual([userError?.code, userError?.field, blank.data?.createTask?.task], ['BLANK', ['input', 'title'], null]);
  const tooMany = await client.query(TooMany, {});
  assert.equal(tooMany.error?.graphQLErrors[0]?.extensions['code'], 'BAD_USER_INPUT');
  const valid = token;
  token = 'invalid';
  const refused = await client.query(Me, {});
  assert.equal(refused.error?.graphQLErrors[0]?.extensions['code'], 'UNAUTHENTICATED');
  token = valid;

  // A change from another device arrives.
  const start = await client.query(Cursor, {});
  const changes: ResultOf<typeof Changes>['changes'][] = [];
  client.subscription(Changes, { after: start.data?.changesCursor ?? assert.fail() }).subscribe(({ data, error }) => {
    assert.equal(error, undefined);
    if (data) changes.push(data.changes);
  });
  const version = await renameElsewhere(token, ids[2] ?? assert.fail(), 'Renamed');
  await until('the live update', () => changes.length === 1);
  assert(changes[0]?.item?.__typename === 'Task');
  assert.deepEqual([changes[0].action, changes[0].version, changes[0].item.title], ['UPDATED', version, 'Renamed']);
});

// The inferred types are exact, and reject what the schema does not allow.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type CreatedTask = NonNullable<NonNullable<ResultOf<typeof CreateTask>['createTask']>['task']>;
export const exact: [
  Same<CreatedTask['dueAt'], string | null>,
  Same<CreatedTask['createdAt'], string>,
  Same<CreatedTask['priority'], 'HIGH' | 'LOW' | 'NORMAL'>,
  Same<VariablesOf<typeof CreateTask>['input']['dueOn'], string | null | undefined>,
] = [true, true, true, true];
export const rejected = (client: Client) => [
  // @ts-expect-error `dueAt` is a string.
  client.mutation(CreateTask, { input: { title: 'A', dueAt: new Date() } }),
  // @ts-expect-error `VERY_HIGH` is not a priority.
  client.mutation(CreateTask, { input: { title: 'A', priority: 'VERY_HIGH' } }),
  // @ts-expect-error `title` is required.
  client.mutation(CreateTask, { input: {} }),
];
