// The least that an app does with the client: node dist/demo/app.js URL REFRESH_TOKEN. It makes a task and shows what there is, until
// Ctrl-C; without a network, too, and the next time it goes on where it was.

import { readFileSync, writeFileSync } from 'node:fs';
import WebSocket from 'ws';
import { OfflineClient } from '../src/client.js';
import { FileStore } from '../src/file-store.js';
import { Session } from '../src/session.js';

const [url, given] = process.argv.slice(2) as [string, string | undefined];
const keep = async (token: string) => writeFileSync('notes.token', token, { mode: 0o600 });
const refreshToken = given ?? readFileSync('notes.token', 'utf8');

const client = await OfflineClient.open({
  url,
  tokens: new Session(url, refreshToken, keep),
  store: new FileStore('notes.json'),
  webSocket: WebSocket,
  onConflict: ({ mine }) => mine,
  onRefused: (entry, errors) => console.error('Not done:', entry, errors),
});
client.subscribe(() => console.log(client.status, client.items().size, 'items,', client.outbox().length, 'to be sent'));
client.start();
await client.create('Task', { title: 'Register for the exam' });
