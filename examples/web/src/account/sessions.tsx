import { useClient } from '@snapnote/client/react';
import { describe, send } from '../api/request.ts';
import { graphql, read, type FragmentType } from '../gql/index.ts';
import { announce } from '../ui/announcements.ts';

const SESSIONS = graphql(`
  fragment Sessions on User {
    id
    sessions {
      id
      current
      lastUsedAt
      userAgent
      ipAddress
    }
  }
`);

const REVOKE = graphql(`
  mutation RevokeSession($sessionId: ID!) {
    revokeSession(input: { sessionId: $sessionId }) {
      userErrors {
        message
      }
    }
  }
`);

/** `Chrome on Linux`, as far as the user agent tells. */
function deviceOf(userAgent: string | null): string {
  const browser = /(Firefox|Edg|Chrome|Safari)\//.exec(userAgent ?? '')?.[1]?.replace('Edg', 'Edge');
  const system = /(Android|iPhone|iPad|Windows|Mac OS|Linux)/.exec(userAgent ?? '')?.[1];
  return [browser ?? 'Another program', system].filter(Boolean).join(' on ');
}

/** The user's open sessions, which can be ended. */
export function Sessions({ user, onChange }: { user: FragmentType<typeof SESSIONS>; onChange: () => void }) {
  const client = useClient();
  const { sessions } = read(SESSIONS, user);
  const revoke = async (sessionId: string) => {
    try {
      await send(client, REVOKE, { sessionId });
      announce('The session is ended.');
      onChange();
    } catch (error) {
      announce(describe(error));
    }
  };
  if (sessions.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="sessions">
      <h2 id="sessions">Devices</h2>
      <ul className="fact-list">
        {sessions.map(({ id, current, lastUsedAt, userAgent, ipAddress }) => (
          <li key={id}>
            <span>
              <strong>{deviceOf(userAgent ?? null)}</strong>
              <span className="muted">
                {current ? 'This device' : `Last used ${new Date(lastUsedAt).toLocaleString('en-US', { dateStyle: 'medium', timeStyle: 'short' })}`}
                {ipAddress && ` · ${ipAddress}`}
              </span>
            </span>
            {!current && (
              <button type="button" className="button" onClick={() => void revoke(id)}>
                End session
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
