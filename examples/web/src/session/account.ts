// Who is signed in on this device: with a password (a session of SnapNote), or at an external identity provider.

import { IndexedDbSessionStore, Session, type Tokens, type UserError } from '@snapnote/client';
import { sendWith } from '../api/request.ts';
import { graphqlUrl } from '../config.ts';
import { graphql } from '../gql/index.ts';
import { ExternalTokens, externalSession, saveExternalSession } from './external-tokens.ts';
import { completeSignIn } from './oidc.ts';

/** A signed-in user. */
export interface Account {
  readonly userId: string;
  readonly tokens: Tokens;
  /** The external identity provider. Null for a session of SnapNote. */
  readonly provider: string | null;
  readonly signOut: () => Promise<void>;
}

const session = new Session({ url: graphqlUrl, store: new IndexedDbSessionStore() });

/** The user of this device, also without a network. Null if no user is signed in. */
export async function currentAccount(): Promise<Account | null> {
  const external = externalSession();
  if (external) {
    const { userId, provider } = external;
    return { userId, provider, tokens: new ExternalTokens(userId), signOut: async () => saveExternalSession(null) };
  }
  const userId = await session.userId();
  return userId === null ? null : { userId, provider: null, tokens: session, signOut: () => session.signOut() };
}

/** Signs in with a password. Returns the errors of the input. */
export function signIn(input: { email: string; password: string }): Promise<readonly UserError[]> {
  saveExternalSession(null);
  return session.signIn(input);
}

/** Makes a user and signs them in. Returns the errors of the input. */
export function signUp(input: { email: string; password: string; name: string }): Promise<readonly UserError[]> {
  saveExternalSession(null);
  return session.signUp(input);
}

const WHO = graphql(`
  query Who {
    me {
      id
    }
  }
`);

/** Completes the sign-in at an external identity provider. The first request with its token creates the user. */
export async function signInExternally(parameters: URLSearchParams): Promise<void> {
  const { provider, tokens } = await completeSignIn(parameters);
  const { me } = await sendWith(tokens.accessToken, WHO, {});
  if (!me) throw new Error('The service does not accept this account.');
  await session.signOut();
  saveExternalSession({ ...tokens, provider: provider.name, userId: me.id });
}
