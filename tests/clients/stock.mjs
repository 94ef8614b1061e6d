// Unmodified clients while tokens expire. Each reconnects by itself and asks its application for the token again. Prints each change
// after a cursor as a line of JSON until standard input ends. Arguments: URL, ACCESS TOKEN, AFTER, REFRESH TOKEN, CLIENT.
import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, subscriptionExchange } from '@urql/core';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, first, after, refresh, kind] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));
globalThis.WebSocket = WebSocket;

let token = first;
let refreshToken = refresh;
/** A token that has not expired. */
async function accessToken() {
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  if (exp * 1000 > Date.now()) return token;
  const query = `mutation($refreshToken: String!) { refreshSession(input: { refreshToken: $refreshToken }) {
    accessToken refreshToken } }`;
  const body = JSON.stringify({ query, variables: { refreshToken } });
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  ({ accessToken: token, refreshToken } = (await response.json()).data.refreshSession);
  return token;
}
const authorization = async () => ({ Authorization: `Bearer ${await accessToken()}` });
const socketClient = () => createWsClient({
  url: url.replace('http', 'ws'),
  connectionParams: authorization,
  on: { closed: ({ code, reason }) => say({ closed: `${code} ${reason}` }) },
});

const query = 'subscription($after: String) { changes(after: $after) { itemId } }';
const variables = { after };
const sink = {
  next: ({ data, errors, error }) => say(data ? { change: data.changes } : { failed: String(error ?? errors[0].message) }),
  error: (error) => say({ ended: String(error?.reason ?? error) }),
  complete: () => say({ completed: true }),
};
const clients = {
  'graphql-ws': () => socketClient().subscribe({ query, variables }, sink),
  'graphql-sse': () => createSseClient({ url, headers: authorization }).subscribe({ query, variables }, sink),
  apollo: () => {
    const client = new ApolloClient({ link: new GraphQLWsLink(socketClient()), cache: new InMemoryCache() });
    client.subscribe({ query: gql(query), variables, fetchPolicy: 'no-cache' }).subscribe(sink);
  },
  urql: () => {
    const sockets = socketClient();
    const forwardSubscription = (request) => ({
      subscribe: (to) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query ?? '' }, to) }),
    });
    const client = new Client({ url, preferGetMethod: false, exchanges: [subscriptionExchange({ forwardSubscription })] });
    client.subscription(query, variables).subscribe(sink.next);
  },
};
process.stdin.on('end', () => process.exit()).resume();
clients[kind]();
