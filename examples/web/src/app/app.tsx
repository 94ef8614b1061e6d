import { SnapNoteProvider } from '@snapnote/client/react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { closeSession, endSession, reopenSession, type OpenSession } from '../session/open-client.ts';
import { SessionProvider } from '../session/session-context.tsx';
import { SignedOut } from '../session/signed-out.tsx';
import { Toast } from '../ui/toast.tsx';
import { SignedIn } from './signed-in.tsx';

/** The session of this device. React runs effects twice during development, so it is opened here, once. */
const atStart = reopenSession();

/** The session: undefined while it is opened, null if no user is signed in. */
function useOpenSession() {
  const [session, setSession] = useState<OpenSession | null | undefined>();
  useEffect(() => void atStart.then(setSession), []);
  const open = useCallback(async () => setSession(await reopenSession()), []);
  return { session, open, setSession };
}

export function App() {
  const { session, open, setSession } = useOpenSession();
  const [path] = useLocation();
  // The link in an email can belong to another user than the signed-in one.
  const isResetting = path === '/forgot-password' || path === '/reset-password';
  const value = useMemo(() => {
    if (!session) return null;
    const leave = (how: (session: OpenSession) => Promise<void>) => async () => {
      await how(session);
      setSession(null);
    };
    return { ...session, signOut: leave(endSession), signInAgain: leave(closeSession) };
  }, [session, setSession]);
  if (session === undefined) return <div className="splash" role="status" aria-label="Opening SnapNote" />;
  return (
    <>
      {value && !isResetting ? (
        <SessionProvider value={value}>
          <SnapNoteProvider client={value.client}>
            <SignedIn />
          </SnapNoteProvider>
        </SessionProvider>
      ) : (
        <SignedOut isSignedIn={session !== null} onSignedIn={open} />
      )}
      <Toast />
    </>
  );
}
