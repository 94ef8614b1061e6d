import { useSyncState } from '@snapnote/client/react';
import { useState } from 'react';
import { useRequest } from '../api/request.ts';
import { graphql } from '../gql/index.ts';
import { useSession } from '../session/session-context.tsx';
import { ConfirmDialog } from '../ui/dialog.tsx';
import { Segmented } from '../ui/form.tsx';
import { Loading, Screen } from '../ui/screen.tsx';
import { setTheme, useTheme, type Theme } from '../ui/theme.ts';
import { Accounts } from './accounts.tsx';
import { ProfileForm } from './profile-form.tsx';
import { Sessions } from './sessions.tsx';

const ACCOUNT = graphql(`
  query Account {
    me {
      id
      ...ProfileForm
      ...Accounts
      ...Sessions
    }
  }
`);

const THEMES: readonly (readonly [Theme, string])[] = [
  ['system', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
];

export default function AccountScreen() {
  const { data, error, reload } = useRequest(ACCOUNT, {});
  const theme = useTheme();
  return (
    <Screen title="Account" actions={<SignOut />} className="account-screen">
      <section className="panel" aria-labelledby="appearance">
        <h2 id="appearance">Appearance</h2>
        <Segmented label="Appearance" value={theme} options={THEMES} onChange={setTheme} />
      </section>
      {error && <p className="form-problem" role="alert">{error}</p>}
      {!data && !error && <Loading label="Loading account" />}
      {data?.me && (
        <>
          <ProfileForm user={data.me} />
          <Accounts user={data.me} />
          <Sessions user={data.me} onChange={reload} />
        </>
      )}
    </Screen>
  );
}

function SignOut() {
  const { signOut } = useSession();
  const { unsent } = useSyncState();
  const [isAsking, setIsAsking] = useState(false);
  return (
    <>
      <button type="button" className="button" onClick={() => (unsent > 0 ? setIsAsking(true) : void signOut())}>
        Sign out
      </button>
      {isAsking && (
        <ConfirmDialog
          title="Sign out and lose changes?"
          text={`${unsent} of your changes have not been sent. Signing out removes them from this device.`}
          action="Sign out"
          onConfirm={() => void signOut()}
          onClose={() => setIsAsking(false)}
        />
      )}
    </>
  );
}
