// Apollo Client 4 with the client preset of graphql-codegen: `relayStylePagination`, optimistic updates, subscriptions over graphql-ws.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { graphql } from '../generated/apollo';
import type { TasksQuery } from '../generated/apollo/graphql';
import possibleTypes from '../generated/apollo/possible-types';
import {
  assert, avatarUrl, dueAt, dueAtInUtc, dueOn, metadata, newUser, pageSize, renameElsewhere, run, socketUrl, titles, until, url,
} from './support';

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
const CreateTask = graphql(`
  mutation CreateTask($input: CreateTaskInput!) {
    createTask(input: $input) { task { id ...TaskRow dueAt dueOn priority createdAt } userErrors { code field message } }
  }
`);
export const TaskRow = graphql(`fragment TaskRow on Task { id title completed version }`);
const Tasks = graphql(`
  query Tasks($courseId: ID!, $first: Int!, $after: String) {
    tasks(filter: { courseId: $courseId }, orderBy: [{ field: TITLE }], first: $first, after: $after) {
      totalCount
      edges { cursor node { id ...TaskRow } }
      pageInfo { endCursor hasNextPage }
    }
  }
`);
const UpdateTask = graphql(`
  mutation UpdateTask($input: UpdateTaskInput!) {
    updateTask(input: $input) { task { id ...TaskRow } userErrors { code field } }
  }
`);
const ById = graphql(`
  query ById($id: ID!, $ids: [ID!]!) {
    node(id: $id) { id ... on Task { title completed version } }
    nodes(ids: $ids) {
      __typename id
      ... on Item { version }
      ... on CourseItem { title }
      ... on Course { name }
    }
  }
`);
const Proficiency = graphql(`query Proficiency { me { id profile { proficiency } usage { items } } }`);
const Goals = graphql(`query Goals { me { id profile { learningGoals } usage { maxItems } } }`);
const TooMany = graphql(`query TooMany { tasks(first: 500) { nodes { id } } }`);
const Me = graphql(`query Me { me { id name } }`);
const Cursor = graphql(`query Cursor { changesCursor }`);
const Changes = graphql(`
  subscription Changes($after: String) {
    changes(after: $after) { action itemId version item { id ... on Task { title completed version } } }
  }
`);

run(async () => {
  const warnings: unknown[] = [];
  console.warn = console.error = (...warning) => void warnings.push(warning);
  let token: string | undefined;
  const http = new HttpLink({ uri: url });
  const authorized = new SetContextLink(({ headers }) => ({
    headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
  }));
  const socket = new GraphQLWsLink(createClient({
    url: socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ Authorization: `Bearer ${token}` }),
  }));
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    socket,
    authorized.concat(http),
  );
  const cache = new InMemoryCache({
    possibleTypes: possibleTypes.possibleTypes,
    typePolicies: {
      Query: { fields: { tasks: relayStylePagination(['filter', 'orderBy']) } },
      // Objects without an id belong to their parents. Queries may select different fields of them.
      Image: { merge: true },
      Profile: { merge: true },
      Thumbnail: { merge: true },
      Usage: { merge: true },
    },
  });
  const client = new ApolloClient({ link, cache });

  // Sign up.
  const credentials = newUser('apollo');
  const signedUp = await client.mutate({ mutation: SignUp, variables: { input: credentials } });
  assert.deepEqual(signedUp.data?.signUp?.userErrors, []);
  token = signedUp.data?.signUp?.accessToken ?? assert.fail();
  assert.equal(signedUp.data?.signUp?.user?.name, credentials.name);

  // Items with variables, and each custom scalar.
  const created = await client.mutate({ mutation: CreateCourse, variables: { input: { name: 'Algebra', color: '#4F6BED' } } });
  const course = created.data?.createCourse?.course ?? assert.fail();
  assert.equal(course.color, '#4F6BED');
  const document = await client.mutate({
    mutation: CreateDocument,
    variables: { input: { courseId: course.id, title: 'Groups', originalText: '', formattedNote: '# Groups', metadata } },
  });
  assert.deepEqual(document.data?.createDocument?.document?.metadata, metadata);
  const avatar = await client.mutate({ mutation: UpdateMe, variables: { input: { avatarUrl } } });
  assert.equal(avatar.data?.updateMe?.user?.avatarUrl, avatarUrl);
  const ids: string[] = [];
  for (const [index, title] of titles.entries()) {
    const due = index === 0 ? { dueAt } : { dueOn };
    const { data } = await client.mutate({
      mutation: CreateTask,
      variables: { input: { courseId: course.id, title, priority: 'HIGH', ...due } },
    });
    const task = data?.createTask?.task ?? assert.fail();
    assert.equal(task.dueAt, index === 0 ? dueAtInUtc : null);
    assert.equal(task.dueOn, index === 0 ? null : dueOn);
    assert.equal(task.priority, 'HIGH');
    assert.match(task.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    ids.push(task.id);
  }

  // Two pages through `fetchMore`, which `relayStylePagination` merges into one list.
  const list = client.watchQuery({ query: Tasks, variables: { courseId: course.id, first: pageSize } });
  const seen: TasksQuery['tasks']['edges'][] = [];
  list.subscribe(({ data, dataState }) => {
    if (dataState === 'complete') seen.push(data.tasks.edges);
  });
  await until('the first page', () => seen.length > 0);
  assert.deepEqual(seen.at(-1)?.map(({ node }) => node.title), titles.slice(0, pageSize));
  const { data: page } = list.getCurrentResult();
  const { endCursor, hasNextPage } = page?.tasks?.pageInfo ?? assert.fail();
  assert.equal(hasNextPage, true);
  await list.fetchMore({ variables: { after: endCursor ?? assert.fail() } });
  await until('the second page', () => seen.at(-1)?.length === titles.length);
  assert.deepEqual(seen.at(-1)?.map(({ node }) => node.id), ids);
  assert.equal(list.getCurrentResult().data?.tasks?.pageInfo?.hasNextPage, false);
  assert.equal(list.getCurrentResult().data?.tasks?.totalCount, titles.length);

  // An optimistic update shows at once in the list, and the response confirms it with the new version.
  const second = ids[1] ?? assert.fail();
  const states = () => seen.map((edges) => edges.find(({ node }) => node.id === second)?.node)
    .filter((node) => node !== undefined).map(({ completed, version }) => `${completed} ${version}`);
  const before = states().length;
  const { data: updated } = await client.mutate({
    mutation: UpdateTask,
    variables: { input: { id: second, completed: true, version: 1 } },
    optimisticResponse: {
      updateTask: {
        __typename: 'TaskPayload',
        task: { __typename: 'Task', id: second, title: titles[1] ?? '', completed: true, version: 1 },
        userErrors: [],
      },
    },
  });
  assert.equal(updated?.updateTask?.task?.version, 2);
  await until('the confirmed update', () => states().at(-1) === 'true 2');
  assert.deepEqual(states().slice(before), ['true 1', 'true 2']);

  // `node` reads the same cached object, and `nodes` resolves fragments on interfaces.
  const { data: byId } = await client.query({
    query: ById,
    variables: { id: second, ids: [course.id, second, '00000000-0000-0000-0000-000000000000'] },
  });
  assert(byId?.node?.__typename === 'Task');
  assert.equal(byId.node.completed, true);
  const [foundCourse, foundTask, missing] = byId.nodes;
  assert(foundCourse?.__typename === 'Course' && foundTask?.__typename === 'Task');
  assert.deepEqual([foundCourse.name, foundTask.title, foundTask.version, missing], ['Algebra', titles[1], 2, null]);
  const stored = Object.values(cache.extract()).filter((object) => object?.['id'] === second);
  assert.equal(stored.length, 1, 'a task is stored once');

  // Objects without an id are merged.
  await client.query({ query: Proficiency });
  await client.query({ query: Goals });
  const { data: merged } = await client.query({ query: Proficiency, fetchPolicy: 'cache-only' });
  assert.deepEqual([merged?.me?.profile.proficiency, merged?.me?.usage.items], ['PRO', titles.length + 2]);

  // Errors in the input, and errors of the request.
  const blank = await client.mutate({ mutation: CreateTask, variables: { input: { title: ' ' } } });
  const [userError] = blank.data?.createTask?.userErrors ?? [];
  assert.deepEqual([userError?.code, userError?.field, blank.data?.createTask?.task], ['BLANK', ['input', 'title'], null]);
  const codeOf = (error: unknown) => CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.['code'] : error;
  const tooMany = await client.query({ query: TooMany }).catch(codeOf);
  assert.equal(tooMany, 'BAD_USER_INPUT');
  const valid = token;
  token = 'invalid';
  assert.equal(await client.query({ query: Me, fetchPolicy: 'no-cache' }).catch(codeOf), 'UNAUTHENTICATED');
  token = valid;

  // A change from another device arrives, and updates the list by the task's id.
  const { data: start } = await client.query({ query: Cursor });
  const changes: string[] = [];
  client.subscribe({ query: Changes, variables: { after: start?.changesCursor ?? assert.fail() } }).subscribe(({ data }) => {
    if (data) changes.push(`${data.changes.action} ${data.changes.item?.__typename} ${data.changes.version}`);
  });
  const version = await renameElsewhere(token, ids[2] ?? assert.fail(), 'Renamed');
  await until('the live update', () => seen.at(-1)?.[2]?.node.title === 'Renamed');
  assert.deepEqual(changes, [`UPDATED Task ${version}`]);

  assert.deepEqual(warnings, [], 'Apollo Client has nothing to warn of');
});

// The types reject what the schema does not allow.
export const rejected = (client: ApolloClient) => [
  // @ts-expect-error `dueAt` is a string.
  client.mutate({ mutation: CreateTask, variables: { input: { title: 'A', dueAt: new Date() } } }),
  // @ts-expect-error `VERY_HIGH` is not a priority.
  client.mutate({ mutation: CreateTask, variables: { input: { title: 'A', priority: 'VERY_HIGH' } } }),
  // @ts-expect-error `title` is required.
  client.mutate({ mutation: CreateTask, variables: { input: {} } }),
];
