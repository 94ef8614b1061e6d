// graphql-sse against the service: a query, then changes from a cursor on, a line of JSON each, until standard input ends.
import { createClient } from 'graphql-sse';

const [url, token, after] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));

const client = createClient({
  url,
  headers: { Authorization: `Bearer ${token}` },
  retryAttempts: 3,
  retry: () => new Promise((done) => setTimeout(done, 200)),
});
process.stdin.on('end', () => client.dispose()).resume();

for await (const result of client.iterate({ query: '{ me { email } }' })) say({ query: result });
for await (const result of client.iterate({ query: '{ nobody }' })) say({ refused: result.errors[0].extensions.code });

const query = 'subscription($after: String) { changes(after: $after) { cursor action itemId } }';
try {
  for await (const result of client.iterate({ query, variables: { after } })) {
    say(result.data ? { change: result.data.changes } : { ended: result.errors[0].extensions.code });
  }
  say({ completed: true });
} catch ({ response }) {
  say({ status: response.status });
}
