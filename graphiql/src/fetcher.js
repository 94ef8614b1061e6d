// Connects GraphiQL to the service: one POST per operation, to the page's own origin. The service returns JSON for queries and mutations,
// and server-sent events for subscriptions (docs/live.md). All of them carry the token of the user who signed in, unless the Headers tab
// has an Authorization of its own.

import { logEvent, startLog } from './events.js';
import { parsed, post, received } from './http.js';
import { accessToken, renew } from './session.js';

// If `Accept` also allows JSON, only subscriptions return events.
const ACCEPTED = 'application/graphql-response+json, application/json, text/event-stream';
// A new token that is rejected within this time is not renewed again.
const REJECTED_AT_ONCE_MS = 1_000;

/**
 * Sends an operation when GraphiQL subscribes, and passes on the responses, including those with errors. Unsubscribing aborts the
 * request. Headers of the Headers tab override those set here.
 */
export function fetcher(operation, { headers = {}, documentAST } = {}) {
  return {
    subscribe(observer) {
      // GraphiQL's own introspection has no AST, and leaves the events of the tab alone.
      if (documentAST) startLog();
      const controller = new AbortController();
      run(operation, headers, observer, controller);
      return { unsubscribe: () => controller.abort() };
    },
  };
}

async function run(operation, typedHeaders, observer, controller) {
  const { signal } = controller;
  try {
    for await (const { response, isEvent } of authenticatedResponses(operation, typedHeaders, signal)) {
      if (signal.aborted) return;
      if (isEvent) logEvent(response);
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

/** Sends the operation again with a new token when the old one has expired. A subscription continues after its last event. */
async function* authenticatedResponses(operation, typedHeaders, signal) {
  const typed = new Headers(typedHeaders);
  let lastEventId = '';
  for (let isRetry = false; ; isRetry = true) {
    const token = typed.has('authorization') ? null : accessToken();
    const started = Date.now();
    let retry = false;
    for await (const result of responses(operation, requestHeaders(typed, token, lastEventId), signal)) {
      lastEventId = result.id || lastEventId;
      const mayRenew = token && !(isRetry && Date.now() - started < REJECTED_AT_ONCE_MS);
      retry = mayRenew && isUnauthenticated(result.response) && (await renew(token));
      if (retry) break;
      yield result;
    }
    if (!retry || signal.aborted) return;
  }
}

function requestHeaders(typed, token, lastEventId) {
  const headers = new Headers({ accept: ACCEPTED, 'content-type': 'application/json' });
  if (token) headers.set('authorization', `Bearer ${token}`);
  if (lastEventId) headers.set('last-event-id', lastEventId);
  for (const [name, value] of typed) headers.set(name, value);
  return headers;
}

/** Whether the whole operation was rejected. A mutation of which a part succeeded must not run twice. */
function isUnauthenticated({ data, errors = [] }) {
  const isEmpty = Object.values(data ?? {}).every((value) => value === null);
  return isEmpty && errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED');
}

async function* responses(operation, headers, signal) {
  const response = await post(operation, headers, signal);
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    yield { response: parsed(await received(response.text()), `HTTP ${response.status}`) };
    return;
  }
  let last;
  for await (const { event, data, id } of events(response.body)) {
    if (event === 'next') yield { response: (last = parsed(data, 'An event arrived')), id, isEvent: true };
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
    const { done, value } = await received(reader.read());
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
