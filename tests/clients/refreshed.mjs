// The graphql-ws client of docs/live.md, while tokens expire. Prints each change after a cursor as a line of JSON until standard
// input ends. Arguments: URL, ACCESS TOKEN, AFTER, REFRESH TOKEN, SECONDS between two new tokens on the socket.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [address, first, start, refresh, seconds] = process.argv.slice(2);
const url = address.replace('http', 'ws');
const say = (what) => console.log(JSON.stringify(what));
globalThis.WebSocket = class extends WebSocket {
  constructor(...what) {
    super(...what);
    say({ connecting: true });
  }
};

let token = first;
let refreshToken = refresh;
/** A token that is valid for at least one more second. */
async function accessToken() {
  const { exp } = JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  if (exp * 1000 - Date.now() > 1000 + seconds * 1000) return token;
  const query = `mutation($refreshToken: String!) { refreshSession(input: { refreshToken: $refreshToken }) {
    accessToken refreshToken } }`;
  const body = JSON.stringify({ query, variables: { refreshToken } });
  const answer = await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  ({ accessToken: token, refreshToken } = (await answer.json()).data.refreshSession);
  return token;
}
const everyMs = seconds * 1000;

// docs/live.md contains the code from here.
const query = 'subscription($after: String) { changes(after: $after) { cursor action itemId version } }';
const authorization = async () => ({ Authorization: `Bearer ${await accessToken()}` });

async function* changes(after) {
  for (;;) {
    await accessToken(); // Throws if the user must sign in again, which ends the loop.
    let timer;
    const client = createClient({
      url, retryAttempts: 0, connectionParams: authorization,
      on: {
        // Sends a new token over the open socket before the old one expires, so that the subscription continues.
        connected: (socket) => {
          const renew = async () => socket.send(JSON.stringify({ type: 'ping', payload: await authorization() }));
          timer = setInterval(() => renew().catch(() => socket.close()), everyMs);
        },
        closed: () => clearInterval(timer),
      },
    });
    try {
      for await (const { data, errors } of client.iterate({ query, variables: { after } })) {
        if (!data) throw errors;
        yield data.changes;
        after = data.changes.cursor;
      }
    } catch (error) {
      const code = Array.isArray(error) ? error[0].extensions?.code : 'NETWORK';
      // For example CURSOR_EXPIRED: read the lists again.
      if (!['NETWORK', 'UNAVAILABLE', 'TIMEOUT', 'RATE_LIMITED', 'INTERNAL'].includes(code)) throw error;
    } finally {
      client.dispose();
    }
    // The connection broke, the service stopped, or the token expired: continue from the last cursor.
    await new Promise((done) => setTimeout(done, 500 + 1000 * Math.random()));
  }
}
// docs/live.md contains the code up to here.

process.stdin.on('end', () => process.exit()).resume();
for await (const change of changes(start)) say({ change });
