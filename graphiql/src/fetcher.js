// How GraphiQL reaches the service: one POST an operation, to the page's own origin. The service answers a query or a
// mutation with JSON, and a subscription with server-sent events (docs/live.md), so both have whatever the headers tab says.

const ENDPOINT = '/graphql';
// Whoever takes JSON as well gets events for subscriptions alone.
const ACCEPTED = 'application/graphql-response+json, application/json, text/event-stream';

/**
 * Sends an operation when it is subscribed to, and passes on the service's answers, also those that hold errors. Ending
 * the subscription ends the request. Headers from the headers tab win over those set here.
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
    for await (const answer of answers(operation, typedHeaders, signal)) {
      if (signal.aborted) return;
      observer.next(answer);
    }
    if (!signal.aborted) observer.complete();
  } catch ({ message }) {
    // Not the error itself: GraphiQL would show its stack.
    if (!signal.aborted) observer.error({ message });
  } finally {
    // Nothing more is read, of a stream that holds what is no answer either.
    controller.abort();
  }
}

async function* answers(operation, typedHeaders, signal) {
  const headers = new Headers({ accept: ACCEPTED, 'content-type': 'application/json' });
  for (const [name, value] of Object.entries(typedHeaders)) headers.set(name, value);

  const body = JSON.stringify(operation);
  const response = await sent(fetch(ENDPOINT, { method: 'POST', headers, body, signal }));
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    yield parsed(await sent(response.text()), `HTTP ${response.status}`);
    return;
  }
  for await (const { event, data } of events(response.body)) {
    if (event === 'next') yield parsed(data, 'An event came');
    if (event === 'complete') return;
  }
  throw new Error('The service has ended the subscription. Run it again; after its last cursor, nothing is missed.');
}

/** The events of a stream, as the service writes them: lines end with \n, and data is one line. */
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

/** Name and value of a line. That of a comment, which only says that the line lives, has no name. */
function field(line) {
  const [name, value] = line.split(/: ?(.*)/);
  return [name, value];
}

async function sent(promise) {
  try {
    return await promise;
  } catch ({ message }) {
    throw new Error(`The service cannot be reached, or the connection broke: ${message}`);
  }
}

/** An answer that is not JSON comes from elsewhere: a proxy's error page. */
function parsed(text, came) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${came}, and the answer is not JSON: ${text.slice(0, 200)}`);
  }
}
