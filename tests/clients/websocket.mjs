// graphql-ws against the service: a query, then changes from a cursor on, a line of JSON each, until standard input ends.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token, after] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));

const client = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
  lazy: false,
  keepAlive: 200,
  onNonLazyError: () => {},
  retryAttempts: 20,
  retryWait: () => new Promise((done) => setTimeout(done, 200)),
  // The service tells why it closes: without a session, only the user can help.
  shouldRetry: ({ reason }) => reason !== 'Session ended',
  on: { closed: ({ code, reason }) => say({ closed: code, reason }) },
});
process.stdin.on('end', () => client.dispose()).resume();

for await (const result of client.iterate({ query: '{ me { email } }' })) say({ query: result });
try {
  for await (const result of client.iterate({ query: '{ nobody }' })) say({ unexpected: result });
} catch (errors) {
  say({ refused: errors[0].extensions.code });
}

let cursor = after;
const query = 'subscription($after: String) { changes(after: $after) { cursor action itemId } }';
try {
  for await (const result of client.iterate({ query, get variables() { return { after: cursor }; } })) {
    cursor = result.data.changes.cursor;
    say({ change: result.data.changes });
  }
  say({ completed: true });
} catch (error) {
  say({ ended: error.code ?? error });
}
