// The user who signed in with the button of the page. The tokens stay in this module's memory: closing or reloading the page signs out.

import { create } from 'zustand';
import { parsed, post, received } from './http.js';

const TOKENS = 'accessToken refreshToken user { email } userErrors { message }';
const SIGN_IN = `mutation SignIn($input: SignInInput!) { auth: signIn(input: $input) { ${TOKENS} } }`;
const REFRESH = `mutation RefreshSession($input: RefreshSessionInput!) { auth: refreshSession(input: $input) { ${TOKENS} } }`;

/** What components show: the address of the user who is signed in, or null. */
export const useSession = create(() => ({ email: null }));

let tokens = null;
let renewal = null;

/** The current access token. Undefined if nobody is signed in. */
export function accessToken() {
  return tokens?.accessToken;
}

/** Throws an error with the service's message if the user cannot sign in. */
export async function signIn(email, password) {
  keep(await authenticate(SIGN_IN, { email, password }));
}

/** Ends the session. If the service cannot be reached, the session stays valid there until it expires. */
export async function signOut() {
  const headers = authorization();
  forget();
  await send('mutation { signOut { signedOut } }', {}, headers);
}

/**
 * Replaces an access token that the service rejected. Returns false if the session cannot continue. Concurrent callers share one
 * request, because each refresh token can be used once.
 */
export async function renew(rejected) {
  if (!tokens) return false;
  if (tokens.accessToken !== rejected) return true;
  renewal ??= refresh().finally(() => (renewal = null));
  return renewal;
}

async function refresh() {
  const before = tokens;
  const auth = await authenticate(REFRESH, { refreshToken: before.refreshToken }).catch(() => null);
  if (tokens !== before) return tokens !== null;
  if (auth) keep(auth);
  else forget();
  return auth !== null;
}

function keep(auth) {
  tokens = auth;
  useSession.setState({ email: auth.user.email });
}

function forget() {
  tokens = null;
  useSession.setState({ email: null });
}

function authorization() {
  return { authorization: `Bearer ${accessToken()}` };
}

async function authenticate(query, input) {
  const { data, errors } = await send(query, { input });
  const [error] = errors ?? data.auth.userErrors;
  if (error) throw new Error(error.message);
  return data.auth;
}

async function send(query, variables, headers) {
  const response = await post({ query, variables }, { 'content-type': 'application/json', ...headers });
  return parsed(await received(response.text()), `HTTP ${response.status}`);
}
