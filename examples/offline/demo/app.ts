// A minimal app: node dist/demo/app.js URL REFRESH_TOKEN
// It creates a task and prints the state until Ctrl-C, with or without a network. The next run continues from the stored state.

import { readFileSync, writeFileSync } from 'node:fs';
import WebSocket from 'ws';
import { OfflineClient } from '../src/client.js';
import { FileStore } from '../src/file-store.js';
import { Session } from '../src/session.js';

const [url, given] = process.argv.slice(2) as [string, string | undefined];
const saveRefreshToken = async (token: string) => writeFileSync('notes.token', token, { mode: 0o600 });
const refreshToken = given ?? readFileSync('notes.token', 'utf8');

const client = await OfflineClient.open({
  url,
  tokens: new Session(url, refreshToken, saveRefreshToken),
  store: new FileStore('notes.json'),
  webSocket: WebSocket,
  onConflict: ({ mine }) => mine,
  onRejected: (entry, errors) => console.error('Rejected:', entry, errors),
});
client.subscribe(() => console.log(client.status, client.items().size, 'items,', client.outbox().length, 'unsent'));
client.start();
await client.create('Task', { title: 'Register for the exam' });
