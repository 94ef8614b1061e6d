// A user with a few items for each page, and requests as this user.
import { randomUUID } from 'node:crypto';

const SIGN_UP = `mutation ($input: SignUpInput!) { signUp(input: $input) { accessToken refreshToken userErrors { code } } }`;
const ITEMS = `mutation ($course: CreateCourseInput!, $document: CreateDocumentInput!, $task: CreateTaskInput!, $tag: CreateTagInput!) {
  createCourse(input: $course) { course { id } }
  createTag(input: $tag) { tag { id } }
  createDocument(input: $document) { document { id } }
  createTask(input: $task) { task { id } }
}`;

/** Sends a GraphQL request, and returns its response. A subscription's response is its first event. */
export async function send(url, token, body) {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream;q=0.9' };
  if (token) headers.authorization = `Bearer ${token}`;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]);
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response.json();
  let text = '';
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    const event = /^data: ?(\{.*)$/m.exec(text);
    if (!event) continue;
    stop.abort();
    return JSON.parse(event[1]);
  }
  throw new Error('the stream ended without an event');
}

/** Signs up a user who has a course, a document, a task and a tag. `values` are what the placeholders of a page stand for. */
export async function newUser(url) {
  const email = `${randomUUID()}@example.com`;
  const password = 'correct horse battery';
  const { data } = await send(url, undefined, { query: SIGN_UP, variables: { input: { email, password, name: 'Ada' } } });
  const { accessToken: token, refreshToken } = data.signUp;
  const cursor = (await send(url, token, { query: '{ changesCursor }' })).data.changesCursor;
  const [course, document, task, tag] = Array.from({ length: 4 }, () => randomUUID());
  const variables = {
    course: { id: course, name: 'Algebra', color: '#4F6BED' },
    document: { id: document, courseId: course, title: 'Groups', originalText: '', formattedNote: '# Groups\n\nA *group* is a set with …', tagIds: [tag] },
    task: { id: task, courseId: course, title: 'Sheet 1', dueAt: '2026-12-01T10:00:00Z', priority: 'HIGH' },
    tag: { id: tag, name: 'Exam' },
  };
  const { errors } = await send(url, token, { query: ITEMS, variables });
  if (errors) throw new Error(JSON.stringify(errors));
  const values = {
    OTHER_COURSE_ID: randomUUID(), COURSE_ID: course, DOCUMENT_ID: document, TASK_ID: task, TAG_ID: tag, CURSOR: cursor, REFRESH_TOKEN: refreshToken,
  };
  return { email, password, token, values };
}

/** A JSON value in which the placeholders are replaced. */
export function replaced(value, values) {
  return JSON.parse(JSON.stringify(value), (_, part) => (typeof part === 'string' ? (values[part] ?? part) : part));
}
