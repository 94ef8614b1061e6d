// Connects GraphiQL to the service: one POST per operation, to the page's own origin. The service returns JSON for queries and mutations,
// and server-sent events for subscriptions (docs/live.md). All of them use the headers of the Headers tab.

const ENDPOINT = '/graphql';
// If `Accept` also allows JSON, only subscriptions return events.
const ACCEPTED = 'application/graphql-response+json, application/json, text/event-stream';

/**
 * Sends an operation when GraphiQL subscribes, and passes on the responses, including those with errors. Unsubscribing aborts the
 * request. Headers of the Headers tab override those set here.
 */
export function fetcher(operation, { headers = {} } = {}) {
  return {
    subscribe(observer) {
      const controller = new AbortController();
      run(operation, headers, observer, controller);
      return { unsubscribe: () => controller.abort() };
    },
  };
}

async function run(operation, typedHeaders, observer, controller) {
  const { signal } = controller;
  try {
    for await (const response of responses(operation, typedHeaders, signal)) {
      if (signal.aborted) return;
      observer.next(response);
    }
    if (!signal.aborted) observer.complete();
  } catch ({ message }) {
    // Passes only the message, because GraphiQL would show the error's stack.
    if (!signal.aborted) observer.error({ message });
  } finally {
    // Stops reading, also after an invalid event.
    controller.abort();
  }
}

async function* responses(operation, typedHeaders, signal) {
  const headers = new Headers({ accept: ACCEPTED, 'content-type': 'application/json' });
  for (const [name, value] of Object.entries(typedHeaders)) headers.set(name, value);

  const body = JSON.stringify(operation);
  const response = await sent(fetch(ENDPOINT, { method: 'POST', headers, body, signal }));
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    yield parsed(await sent(response.text()), `HTTP ${response.status}`);
    return;
  }
  let last;
  for await (const { event, data } of events(response.body)) {
    if (event === 'next') yield (last = parsed(data, 'An event arrived'));
    if (event === 'complete') return;
  }
  // The last response says why the subscription ended, for example because the token has expired.
  if (last?.errors) return;
  throw new Error('The service ended the subscription. Run it again with the last cursor as `after` to miss no changes.');
}

/** Parses the events of a stream. The service ends lines with \n and writes data in one line. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await sent(reader.read());
    if (done) return;
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) yield Object.fromEntries(block.split('\n').map(field));
  }
}

/** Name and value of a line. Comments (heartbeats) have an empty name. */
function field(line) {
  const [name, value] = line.split(/: ?(.*)/);
  return [name, value];
}

async function sent(promise) {
  try {
    return await promise;
  } catch ({ message }) {
    throw new Error(`The service is unreachable, or the connection was lost: ${message}`);
  }
}

/** Parses a response. One that is not JSON comes from something else, such as a proxy's error page. */
function parsed(text, source) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${source}, but the response is not JSON: ${text.slice(0, 200)}`);
  }
}
