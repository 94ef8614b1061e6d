// graphql-request with the client preset of graphql-codegen and its fragment masking. It has no cache, pagination or subscriptions.
import { ClientError, GraphQLClient } from 'graphql-request';
import { graphql, useFragment as unmask } from '../generated/graphql-request';
import {
  assert, avatarUrl, dueAt, dueAtInUtc, dueOn, metadata, newUser, pageSize, run, titles, url,
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
const CreateTasks = graphql(`
  mutation CreateTasks($input: CreateTasksInput!) {
    createTasks(input: $input) {
      results { task { ...TaskRow dueAt dueOn priority createdAt } userErrors { code field message } }
      userErrors { code }
    }
  }
`);
export const TaskRow = graphql(`fragment TaskRow on Task { id title completed version }`);
const Tasks = graphql(`
  query Tasks($courseId: ID!, $first: Int!, $after: String) {
    tasks(filter: { courseId: $courseId }, orderBy: [{ field: TITLE }], first: $first, after: $after) {
      nodes { ...TaskRow }
      pageInfo { endCursor hasNextPage }
    }
  }
`);
const UpdateTask = graphql(`
  mutation UpdateTask($input: UpdateTaskInput!) {
    updateTask(input: $input) { task { ...TaskRow } userErrors { code field } }
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
const TooMany = graphql(`query TooMany { tasks(first: 500) { nodes { id } } }`);
const Me = graphql(`query Me { me { id name } }`);

run(async () => {
  let token: string | undefined;
  const client = new GraphQLClient(url, { headers: () => (token === undefined ? {} : { authorization: `Bearer ${token}` }) });

  // Sign up.
  const credentials = newUser('graphql-request');
  const { signUp } = await client.request(SignUp, { input: credentials });
  assert.deepEqual(signUp?.userErrors, []);
  token = signUp?.accessToken ?? assert.fail();
  assert.equal(signUp?.user?.name, credentials.name);

  // Items with variables, and each custom scalar.
  const { createCourse } = await client.request(CreateCourse, { input: { name: 'Algebra', color: '#4F6BED' } });
  const course = createCourse?.course ?? assert.fail();
  assert.equal(course.color, '#4F6BED');
  const { createDocument } = await client.request(CreateDocument, {
    input: { courseId: course.id, title: 'Groups', originalText: '', formattedNote: '# Groups', metadata },
  });
  assert.deepEqual(createDocument?.document?.metadata, metadata);
  const { updateMe } = await client.request(UpdateMe, { input: { avatarUrl } });
  assert.equal(updateMe?.user?.avatarUrl, avatarUrl);
  const { createTasks } = await client.request(CreateTasks, {
    input: {
      policy: 'EACH',
      tasks: [
        ...titles.map((title, index) => ({
          courseId: course.id, title, priority: 'HIGH' as const, ...(index === 0 ? { dueAt } : { dueOn }),
        })),
        { title: ' ' },
      ],
    },
  });
  const created = createTasks?.results.slice(0, titles.length).map(({ task }) => task ?? assert.fail()) ?? [];
  const ids = created.map((task) => unmask(TaskRow, task).id);
  assert.deepEqual([created[0]?.dueAt, created[0]?.dueOn], [dueAtInUtc, null]);
  assert.deepEqual([created[1]?.dueAt, created[1]?.dueOn, created[1]?.priority], [null, dueOn, 'HIGH']);
  assert.match(created[0]?.createdAt ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);

  // An error of one entry of a batch.
  const failed = createTasks?.results.at(-1);
  assert.equal(failed?.task, null);
  const [error] = failed?.userErrors ?? [];
  assert.deepEqual([error?.code, error?.field], ['BLANK', [String(titles.length), 'title']]);

  // Two pages.
  const pages: string[][] = [];
  for (let after: string | null = null, more = true; more; ) {
    const { tasks }: { tasks: Awaited<ReturnType<typeof page>>['tasks'] } = await page(after);
    pages.push(tasks.nodes.map((node) => unmask(TaskRow, node).id));
    more = tasks.pageInfo.hasNextPage;
    after = tasks.pageInfo.endCursor;
  }
  function page(after: string | null) {
    return client.request(Tasks, { courseId: course.id, first: pageSize, after });
  }
  assert.deepEqual(pages, [ids.slice(0, pageSize), ids.slice(pageSize)]);

  // An update by version. An update of the old version is a conflict, and returns the current one.
  const second = ids[1] ?? assert.fail();
  const input = { id: second, completed: true, version: 1 };
  const { updateTask } = await client.request(UpdateTask, { input });
  assert.deepEqual(unmask(TaskRow, updateTask?.task), { id: second, title: titles[1], completed: true, version: 2 });
  const { updateTask: conflict } = await client.request(UpdateTask, { input });
  assert.deepEqual([conflict?.userErrors[0]?.code, unmask(TaskRow, conflict?.task)?.version], ['CONFLICT', 2]);

  // `__typename` tells the types of an interface apart.
  const byId = await client.request(ById, {
    id: second, ids: [course.id, second, '00000000-0000-0000-0000-000000000000'],
  });
  assert(byId.node?.__typename === 'Task');
  assert.equal(byId.node.completed, true);
  const [foundCourse, foundTask, missing] = byId.nodes;
  assert(foundCourse?.__typename === 'Course' && foundTask?.__typename === 'Task');
  assert.deepEqual([foundCourse.name, foundTask.title, foundTask.version, missing], ['Algebra', titles[1], 2, null]);

  // Errors of the request.
  const codeOf = (error: unknown) => error instanceof ClientError
    ? [error.response.status, error.response.errors?.[0]?.extensions['code']] : error;
  assert.deepEqual(await client.request(TooMany).catch(codeOf), [200, 'BAD_USER_INPUT']);
  token = 'invalid';
  assert.deepEqual(await client.request(Me).catch(codeOf), [401, 'UNAUTHENTICATED']);
});

// The types reject what the schema does not allow.
export const rejected = (client: GraphQLClient) => [
  // @ts-expect-error `dueOn` is a string.
  client.request(CreateTasks, { input: { tasks: [{ title: 'A', dueOn: new Date() }] } }),
  // @ts-expect-error `EVERY` is not a policy.
  client.request(CreateTasks, { input: { policy: 'EVERY', tasks: [] } }),
  // @ts-expect-error `input` is required.
  client.request(CreateTasks, {}),
];
