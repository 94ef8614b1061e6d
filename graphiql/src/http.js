// Requests to the API, with errors that a user understands.

const ENDPOINT = '/graphql';

/** Sends an operation to the page's own origin. */
export function post(operation, headers, signal) {
  const body = JSON.stringify(operation);
  return received(fetch(ENDPOINT, { method: 'POST', headers, body, signal }));
}

/** Parses a response. One that is not JSON comes from something else, such as a proxy's error page. */
export function parsed(text, source) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${source}, but the response is not JSON: ${text.slice(0, 200)}`);
  }
}

export async function received(promise) {
  try {
    return await promise;
  } catch ({ message }) {
    throw new Error(`The service is unreachable, or the connection was lost: ${message}`);
  }
}
