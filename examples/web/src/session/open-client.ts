// Opens the offline client of a user.

import { IndexedDbStore, OfflineClient } from '@snapnote/client';
import { graphqlUrl } from '../config.ts';
import { removeDrafts } from '../notes/draft.ts';
import { Conflicts } from '../sync/conflicts.ts';
import { announce } from '../ui/announcements.ts';
import { currentAccount, type Account } from './account.ts';

/** Everything that belongs to a signed-in user. */
export interface OpenSession {
  readonly account: Account;
  readonly client: OfflineClient;
  readonly store: IndexedDbStore;
  readonly conflicts: Conflicts;
}

async function openSession(account: Account): Promise<OpenSession> {
  const store = new IndexedDbStore(`snapnote-${account.userId}`);
  const conflicts = new Conflicts(account.userId);
  const client = await OfflineClient.open({
    url: graphqlUrl,
    tokens: account.tokens,
    store,
    onConflict: (conflict) => conflicts.decide(conflict),
    onRejected: () => announce('The service rejected a change. See the top of the page.'),
  });
  client.start();
  return { account, client, store, conflicts };
}

/** Opens the session of the user of this device. Null if no user is signed in. */
export async function reopenSession(): Promise<OpenSession | null> {
  const account = await currentAccount();
  return account && openSession(account);
}

/** Disconnects and keeps everything on this device, for the next sign-in of this user. */
export async function closeSession({ client }: OpenSession): Promise<void> {
  await client.close();
}

/** Signs out and removes everything from this device, also changes that were not sent. */
export async function endSession({ account, client, store, conflicts }: OpenSession): Promise<void> {
  await client.close();
  await store.destroy();
  conflicts.clear();
  removeDrafts();
  await account.signOut();
}
