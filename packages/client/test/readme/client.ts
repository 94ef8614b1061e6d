import { IndexedDbSessionStore, IndexedDbStore, OfflineClient, Session } from '@snapnote/client';

export const url = 'https://api.example.com/graphql';
export const session = new Session({ url, store: new IndexedDbSessionStore() });
if ((await session.userId()) === null) {
  const errors = await session.signIn({ email: prompt('Email') ?? '', password: prompt('Password') ?? '' });
  if (errors.length > 0) throw new Error(errors[0]?.message);
}
export const client = await OfflineClient.open({
  url,
  tokens: session,
  store: new IndexedDbStore(`notes-${await session.userId()}`),
  onConflict: ({ mine, theirs, mayBeApplied }) => (mayBeApplied ? theirs : mine),
  onRejected: (entry, errors) => console.error('Rejected:', entry, errors),
});
client.start();
