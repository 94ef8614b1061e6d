// What the programs of all clients share. Each gets the URL of the service as its argument, and ends with an error if a check fails.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

export { assert };

export const url = process.argv[2] ?? 'http://127.0.0.1:8080/graphql';
export const socketUrl = url.replace('http', 'ws');

/** A user of this run. */
export const newUser = (client: string) => ({
  email: `${client}-${randomUUID()}@example.com`,
  name: `User of ${client}`,
  password: 'correct horse battery',
});

/** The tasks that each client creates, in the order in which it lists them. */
export const titles = ['Sheet 1', 'Sheet 2', 'Sheet 3', 'Sheet 4', 'Sheet 5', 'Sheet 6', 'Sheet 7'];

/** A page has four of the seven tasks, so the list has two pages. */
export const pageSize = 4;

/** A JSON object with each kind of value. */
export const metadata = { pages: [1, 2.5], scan: { device: 'Ä', ok: true, note: null } };

export const dueAt = '2026-12-01T10:00:00+02:00';
export const dueAtInUtc = '2026-12-01T08:00:00.000000Z';
export const dueOn = '2026-12-08';
export const avatarUrl = 'https://example.com/ada.png';

/** Waits for a condition, and fails after 20 seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>) {
  const end = Date.now() + 20_000;
  while (!(await condition())) {
    assert(Date.now() < end, `timed out: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** Changes a task without the client under test, as another device of the same user does. Returns the new version. */
export async function renameElsewhere(token: string, id: string, title: string) {
  const query = `mutation($input: UpdateTaskInput!) { updateTask(input: $input) { task { version } userErrors { code } } }`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables: { input: { id, title } } }),
  });
  const { data } = (await response.json()) as { data: { updateTask: { task: { version: number } } } };
  return data.updateTask.task.version;
}

/** Runs a client's program. Open sockets do not keep it running. */
export function run(program: () => Promise<void>) {
  const { error: print } = console; // A program may replace it.
  const deadline = setTimeout(() => {
    print('the client did not finish within 60 s');
    process.exit(1);
  }, 60_000);
  program().then(
    () => (clearTimeout(deadline), process.exit(0)),
    (error: unknown) => (print(error), process.exit(1)),
  );
}
