import { createContext, useContext } from 'react';
import type { OpenSession } from './open-client.ts';

/** The session and the ways to leave it. */
export interface SessionContextValue extends OpenSession {
  /** Signs out and removes the user's data from this device. */
  readonly signOut: () => Promise<void>;
  /** Shows the sign-in screen and keeps the user's data on this device. */
  readonly signInAgain: () => Promise<void>;
}

const Context = createContext<SessionContextValue | null>(null);
export const SessionProvider = Context.Provider;

export function useSession(): SessionContextValue {
  const session = useContext(Context);
  if (!session) throw new Error('Put the component into a SessionProvider.');
  return session;
}
