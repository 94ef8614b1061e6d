// urql with Graphcache and the client preset of graphql-codegen: `relayPagination`, optimistic updates, a schema-aware normalized cache,
// and subscriptions over server-sent events, which urql supports by itself.
import { Client, fetchExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { graphql } from '../generated/graphcache';
import type { TasksQuery } from '../generated/graphcache/graphql';
import schema from '../generated/graphcache/introspection.json';
import {
  assert, avatarUrl, dueAt, dueAtInUtc, dueOn, metadata, newUser, pageSize, renameElsewhere, run, titles, until, url,
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
    node(id: $id) { __typename id ... on Task { title completed version } }
    nodes(ids: $ids) {
      __typename id
      ... on Item { version }
      ... on CourseItem { title }
      ... on Course { name }
    }
  }
`);
const CachedTask = graphql(`query CachedTask($id: ID!) { task(id: $id) { id title completed version } }`);
const Details = graphql(`
  query Details {
    me { id profile { proficiency } usage { items } accounts { provider } auditLog(first: 1) { nodes { action } } }
    changes(first: 1) { nodes { action } }
    search(query: "sheet", first: 1) { edges { node { __typename id } highlights { text ranges { start end } } } }
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
  const warnings: string[] = [];
  const methods = new Set<string | undefined>();
  const client = new Client({
    url,
    fetchOptions: () => ({ headers: token === undefined ? {} : { authorization: `Bearer ${token}` } }),
    fetchSubscriptions: true,
    fetch: (input, options) => {
      methods.add(options?.method);
      return fetch(input, options);
    },
    exchanges: [
      cacheExchange({
        schema,
        logger: (level, message) => {
          if (level !== 'debug') warnings.push(message);
        },
        // Objects without an id belong to their parents.
        keys: {
          Account: () => null, AuditEvent: () => null, Change: () => null, Highlight: () => null, Image: () => null,
          Profile: () => null, TextRange: () => null, Thumbnail: () => null, Usage: () => null,
        },
        resolvers: {
          Query: {
            tasks: relayPagination(),
            task: (_, { id }) => ({ __typename: 'Task', id: String(id) }),
          },
        },
        optimistic: {
          updateTask: (args, cache) => {
            const { id, completed } = args['input'] as { id: string; completed: boolean };
            const key = { __typename: 'Task', id };
            const task = { ...key, title: cache.resolve(key, 'title'), completed, version: cache.resolve(key, 'version') };
            return { __typename: 'TaskPayload', task, userErrors: [] };
          },
        },
      }),
      fetchExchange,
    ],
  });

  // Sign up.
  const credentials = newUser('graphcache');
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
    ids.push(task.id);
  }

  // Two pages, which `relayPagination` merges into one list.
  const first = { courseId: course.id, first: pageSize };
  const seen: TasksQuery['tasks'][] = [];
  client.query(Tasks, first).subscribe(({ data, error }) => {
    assert.equal(error, undefined);
    if (data) seen.push(data.tasks);
  });
  await until('the first page', () => seen.length > 0);
  assert.deepEqual(seen.at(-1)?.edges.map(({ node }) => node.title), titles.slice(0, pageSize));
  assert.equal(seen.at(-1)?.pageInfo.hasNextPage, true);
  const merged = await client.query(Tasks, { ...first, after: seen.at(-1)?.pageInfo.endCursor ?? assert.fail() });
  assert.deepEqual(merged.data?.tasks.edges.map(({ node }) => node.id), ids);
  await until('the second page', () => seen.at(-1)?.edges.length === titles.length);
  assert.deepEqual(seen.at(-1)?.edges.map(({ node }) => node.id), ids);
  assert.equal(seen.at(-1)?.pageInfo.hasNextPage, false);
  assert.equal(seen.at(-1)?.totalCount, titles.length);

  // An optimistic update shows at once in the list, and the response confirms it with the new version.
  const second = ids[1] ?? assert.fail();
  const states = () => seen.map(({ edges }) => edges.find(({ node }) => node.id === second)?.node)
    .filter((node) => node !== undefined).map(({ completed, version }) => `${completed} ${version}`);
  const before = states().length;
  const { data: updated } = await client.mutation(UpdateTask, { input: { id: second, completed: true, version: 1 } });
  assert.equal(updated?.updateTask?.task?.version, 2);
  await until('the confirmed update', () => states().at(-1) === 'true 2');
  assert.deepEqual([...new Set(states().slice(before))], ['true 1', 'true 2']);

  // The cache knows the task by its id, without a request.
  const cached = await client.query(CachedTask, { id: second }, { requestPolicy: 'cache-only' });
  assert.deepEqual(cached.data?.task, { id: second, title: titles[1], completed: true, version: 2 });

  // The schema tells which types implement an interface.
  const { data: byId } = await client.query(ById, {
    id: second, ids: [course.id, second, '00000000-0000-0000-0000-000000000000'],
  });
  assert(byId?.node?.__typename === 'Task');
  assert.equal(byId.node.completed, true);
  const [foundCourse, foundTask, missing] = byId.nodes;
  assert(foundCourse?.__typename === 'Course' && foundTask?.__typename === 'Task');
  assert.deepEqual([foundCourse.name, foundTask.title, foundTask.version, missing], ['Algebra', titles[1], 2, null]);

  // Objects without an id.
  const { data: details } = await client.query(Details, {});
  assert.equal(details?.me?.profile.proficiency, 'PRO');
  assert.equal(details.me.usage.items, titles.length + 2);
  assert.deepEqual(details.search.edges[0]?.highlights[0]?.ranges[0], { start: 0, end: 5 });

  // Errors in the input, and errors of the request.
  const blank = await client.mutation(CreateTask, { input: { title: ' ' } });
  const [userError] = blank.data?.createTask?.userErrors ?? [];
  assert.deepEqual([userError?.code, userError?.field, blank.data?.createTask?.task], ['BLANK', ['input', 'title'], null]);
  const tooMany = await client.query(TooMany, {});
  assert.equal(tooMany.error?.graphQLErrors[0]?.extensions['code'], 'BAD_USER_INPUT');
  const valid = token;
  token = 'invalid';
  const refused = await client.query(Me, {}, { requestPolicy: 'network-only' });
  assert.equal(refused.error?.graphQLErrors[0]?.extensions['code'], 'UNAUTHENTICATED');
  token = valid;

  // A change from another device arrives, and updates the list by the task's id.
  const start = await client.query(Cursor, {});
  const changes: string[] = [];
  client.subscription(Changes, { after: start.data?.changesCursor ?? assert.fail() }).subscribe(({ data, error }) => {
    assert.equal(error, undefined);
    if (data) changes.push(`${data.changes.action} ${data.changes.item?.__typename} ${data.changes.version}`);
  });
  const version = await renameElsewhere(token, ids[2] ?? assert.fail(), 'Renamed');
  await until('the live update', () => seen.at(-1)?.edges[2]?.node.title === 'Renamed');
  assert.deepEqual(changes, [`UPDATED Task ${version}`]);

  // By default, urql sends short queries with GET.
  assert.deepEqual([...methods].sort(), ['GET', 'POST']);
  assert.deepEqual(warnings, [], 'Graphcache has nothing to warn of');
});

// The types reject what the schema does not allow.
export const rejected = (client: Client) => [
  // @ts-expect-error `dueAt` is a string.
  client.mutation(CreateTask, { input: { title: 'A', dueAt: new Date() } }),
  // @ts-expect-error `VERY_HIGH` is not a priority.
  client.mutation(CreateTask, { input: { title: 'A', priority: 'VERY_HIGH' } }),
  // @ts-expect-error `title` is required.
  client.mutation(CreateTask, { input: {} }),
];
