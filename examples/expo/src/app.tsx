// The app: sign-in, or the tasks of the user who is signed in.

import { Session } from '@snapnote/client';
import Constants from 'expo-constants';
import * as SecureStore from 'expo-secure-store';
import { useEffect, useState } from 'react';
import { ActivityIndicator } from 'react-native';
import { SafeAreaProvider } from 'react-native-safe-area-context';
import { requestsOf } from './request.ts';
import { SecureSessionStore } from './secure-session-store.ts';
import { graphqlUrl } from './service-url.ts';
import { SignIn } from './sign-in.tsx';
import { Tasks } from './tasks.tsx';

const url = graphqlUrl(process.env.EXPO_PUBLIC_SERVICE, Constants.expoConfig?.hostUri);
// The tokens stay on this device: no backup has them. The session can be read while the phone is locked, but not before its first unlock.
const options = { keychainAccessible: SecureStore.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY };
const session = new Session({ url, store: new SecureSessionStore(SecureStore, options) });
const request = requestsOf(session, url);

export function App() {
  const [isSignedIn, setSignedIn] = useState<boolean>();
  useEffect(() => {
    void session.userId().then((id) => setSignedIn(id !== null));
  }, []);
  return (
    <SafeAreaProvider>
      {isSignedIn === undefined && <ActivityIndicator accessibilityLabel="Loading" />}
      {isSignedIn === false && <SignIn session={session} onSignedIn={() => setSignedIn(true)} />}
      {isSignedIn && <Tasks session={session} request={request} onSignedOut={() => setSignedIn(false)} />}
    </SafeAreaProvider>
  );
}
