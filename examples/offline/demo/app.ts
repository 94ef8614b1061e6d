// A minimal app: node dist/demo/app.js URL EMAIL PASSWORD
// It creates a task and prints the state until Ctrl-C, with or without a network. The next run continues from the stored state.

import { OfflineClient, Session } from '@snapnote/client';
import { FileSessionStore, FileStore } from '@snapnote/client/node';
import WebSocket from 'ws';

const [url, email, password] = process.argv.slice(2) as [string, string | undefined, string | undefined];
const session = new Session({ url, store: new FileSessionStore('notes.session') });
if (email && password) for (const error of await session.signIn({ email, password })) console.error(error.message);

const client = await OfflineClient.open({
  url,
  tokens: session,
  store: new FileStore('notes.json'),
  webSocket: WebSocket,
  onConflict: ({ mine }) => mine,
  onRejected: (entry, errors) => console.error('Rejected:', entry, errors),
});
client.subscribe(() => console.log(client.status, client.items().size, 'items,', client.outbox().length, 'unsent'));
client.start();
await client.create('Task', { title: 'Register for the exam' });
