// A list of tasks in a browser, through the adapter that the address names. `window.app` has its actions for the test.

import { createCollection } from '@tanstack/db';
import { useLiveQuery } from '@tanstack/react-db';
import { createRoot } from 'react-dom/client';
import { IndexedDbSessionStore, IndexedDbStore, OfflineClient, Session } from '../../src/index.js';
import { SnapNoteProvider, useItems, useSyncState } from '../../src/react.js';
import { newRow, snapnoteCollectionOptions } from '../../src/tanstack-db.js';

const parameter = (name: string) => new URLSearchParams(location.search).get(name) ?? '';
const url = parameter('url');
const run = parameter('run');

const timeoutMs = 5_000;
const session = new Session({ url, store: new IndexedDbSessionStore(`session-${run}`), timeoutMs });
const credentials = { email: parameter('email'), password: 'correct horse' };
if ((await session.userId()) === null) for (const error of await session.signIn(credentials)) throw new Error(error.message);
const client = await OfflineClient.open({
  url,
  tokens: session,
  store: new IndexedDbStore(`notes-${run}`),
  timeoutMs,
  onConflict: ({ mine, theirs, mayBeApplied }) => (mayBeApplied ? theirs : mine),
  onRejected: (entry, errors) => console.log('rejected', entry.kind, JSON.stringify(errors)),
});
client.start();

const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));

function State() {
  const { status, unsent, isLoaded } = useSyncState();
  return <p data-status={status} data-unsent={unsent} data-loaded={isLoaded} data-connected={client.isConnectedTab} />;
}

function HookList() {
  return useItems('Task').map(({ id, fields }) => <li key={id} id={id}>{fields.title}</li>);
}

function CollectionList() {
  const { data } = useLiveQuery((query) => query.from({ task: tasks }).orderBy(({ task }) => task.id));
  return data.map(({ id, title }) => <li key={id} id={id}>{title}</li>);
}

const actions = {
  react: {
    add: (title: string) => client.create('Task', { title }),
    rename: (id: string, title: string) => client.update('Task', id, { title }),
    remove: (id: string) => client.trash(id),
  },
  'tanstack-db': {
    add: async (title: string) => {
      const row = newRow('Task', { title });
      await tasks.insert(row).isPersisted.promise;
      return row.id;
    },
    rename: (id: string, title: string) => tasks.update(id, (task) => void (task.title = title)).isPersisted.promise,
    remove: (id: string) => tasks.delete(id).isPersisted.promise,
  },
};

const adapter = parameter('adapter') as keyof typeof actions;
Object.assign(window, { app: { ...actions[adapter], wake: () => client.wake() } });
createRoot(document.querySelector('main')!).render(
  <SnapNoteProvider client={client}>
    <State />
    <ul>{adapter === 'react' ? <HookList /> : <CollectionList />}</ul>
  </SnapNoteProvider>,
);
