// How GraphiQL reaches the service: one POST an operation, to the page's own origin.
// Live subscriptions would be answered here: a fetcher may return an async iterable of results.

const ENDPOINT = '/graphql';

/**
 * Sends an operation and returns the service's answer, also when that holds errors. Headers from the headers tab win
 * over those set here. Fails when there is no answer, or one that is not JSON (a proxy's error page).
 */
export async function fetcher(operation, { headers: typedHeaders = {} } = {}) {
  const headers = new Headers({
    accept: 'application/graphql-response+json, application/json',
    'content-type': 'application/json',
  });
  for (const [name, value] of Object.entries(typedHeaders)) headers.set(name, value);

  const response = await fetch(ENDPOINT, { method: 'POST', headers, body: JSON.stringify(operation) });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`HTTP ${response.status}, and the answer is not JSON: ${text.slice(0, 200)}`);
  }
}
