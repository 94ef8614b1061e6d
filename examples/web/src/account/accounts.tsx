import { useClient } from '@snapnote/client/react';
import { describe, send } from '../api/request.ts';
import { providers } from '../config.ts';
import { graphql, read, type FragmentType } from '../gql/index.ts';
import { announce } from '../ui/announcements.ts';

const ACCOUNTS = graphql(`
  fragment Accounts on User {
    id
    email
    emailVerified
    accounts {
      provider
      providerAccountId
      createdAt
    }
  }
`);

const VERIFY = graphql(`
  mutation RequestVerification {
    requestEmailVerification {
      accepted
    }
  }
`);

const labelOf = (provider: string) =>
  provider === 'password' ? 'Password' : (providers.find(({ name }) => name === provider)?.label ?? provider);
const dateOf = (time: string) => new Date(time).toLocaleDateString('en-US', { dateStyle: 'medium' });

/** The email address, and the ways to sign in. */
export function Accounts({ user }: { user: FragmentType<typeof ACCOUNTS> }) {
  const client = useClient();
  const { email, emailVerified, accounts } = read(ACCOUNTS, user);
  const verify = () =>
    send(client, VERIFY, {}).then(
      () => announce(`A link is on its way to ${email}.`),
      (error: unknown) => announce(describe(error)),
    );
  return (
    <section className="panel" aria-labelledby="accounts">
      <h2 id="accounts">Sign-in</h2>
      <ul className="fact-list">
        <li>
          <span>
            <strong>{email}</strong>
            <span className="muted">{emailVerified ? 'Verified' : 'Not verified'}</span>
          </span>
          {!emailVerified && (
            <button type="button" className="button" onClick={() => void verify()}>
              Verify
            </button>
          )}
        </li>
        {accounts.map(({ provider, providerAccountId, createdAt }) => (
          <li key={`${provider} ${providerAccountId}`}>
            <span>
              <strong>{labelOf(provider)}</strong>
              <span className="muted">since {dateOf(createdAt)}</span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
