// Sign-in with an external identity provider: OpenID Connect with the authorization code flow and PKCE. The provider's access token is
// sent to the service, which verifies it (docs/auth.md).

import { providers, type Provider } from '../config.ts';

/** What the provider returns for a code or a refresh token. */
export interface ProviderTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  /** The local time in milliseconds at which the token is renewed. */
  readonly renewAt: number;
}

const PENDING = 'snapnote:sign-in';

interface Pending {
  readonly provider: string;
  readonly state: string;
  readonly verifier: string;
  /** The page on which the sign-in began. Its hash can be the token of a link in an email. */
  readonly page: string;
}

const pendingSignIn = () => JSON.parse(sessionStorage.getItem(PENDING) ?? 'null') as Pending | null;

/** The page on which the pending sign-in began. */
export function pageOfSignIn(): string {
  return pendingSignIn()?.page ?? '/';
}

/** Ends a sign-in that was not completed. */
export function forgetSignIn(): void {
  sessionStorage.removeItem(PENDING);
}

/** The provider with a name. */
export function providerOf(name: string): Provider {
  const provider = providers.find((other) => other.name === name);
  if (!provider) throw new Error(`There is no identity provider ${name}.`);
  return provider;
}

async function endpoints({ issuer }: Provider): Promise<{ authorization_endpoint: string; token_endpoint: string }> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error(`The identity provider responded with ${response.status}.`);
  return response.json() as Promise<{ authorization_endpoint: string; token_endpoint: string }>;
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

const random = () => base64Url(crypto.getRandomValues(new Uint8Array(32)));
const redirectUri = () => `${location.origin}/callback`;

/** Leaves the app for the provider's sign-in page. */
export async function beginSignIn(provider: Provider): Promise<void> {
  const { authorization_endpoint: endpoint } = await endpoints(provider);
  const page = location.pathname + location.search + location.hash;
  const pending: Pending = { provider: provider.name, state: random(), verifier: random(), page };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(pending.verifier));
  const url = new URL(endpoint);
  const parameters: Record<string, string> = {
    response_type: 'code',
    client_id: provider.clientId,
    redirect_uri: redirectUri(),
    scope: provider.scope ?? 'openid profile email offline_access',
    state: pending.state,
    code_challenge: base64Url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
    ...(provider.audience && { audience: provider.audience }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
}

/** Completes the sign-in that {@link beginSignIn} began, with the parameters of the callback. */
export async function completeSignIn(parameters: URLSearchParams): Promise<{ provider: Provider; tokens: ProviderTokens }> {
  const pending = pendingSignIn();
  forgetSignIn();
  const error = parameters.get('error_description') ?? parameters.get('error');
  if (error) throw new Error(error);
  const code = parameters.get('code');
  if (!pending || !code || parameters.get('state') !== pending.state) throw new Error('This sign-in was not started here. Start again.');
  const provider = providerOf(pending.provider);
  const tokens = await exchange(provider, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri(),
    code_verifier: pending.verifier,
  });
  return { provider, tokens };
}

/** New tokens for a refresh token. Null if the provider has ended the session. */
export function refresh(provider: Provider, refreshToken: string): Promise<ProviderTokens> {
  return exchange(provider, { grant_type: 'refresh_token', refresh_token: refreshToken });
}

/** The provider rejected a code or a refresh token. */
export class Denied extends Error {}

async function exchange(provider: Provider, parameters: Record<string, string>): Promise<ProviderTokens> {
  const { token_endpoint: endpoint } = await endpoints(provider);
  const body = new URLSearchParams({ client_id: provider.clientId, ...parameters });
  const response = await fetch(endpoint, { method: 'POST', body });
  if (response.status === 400 || response.status === 401) throw new Denied('The identity provider rejected the sign-in.');
  if (!response.ok) throw new Error(`The identity provider responded with ${response.status}.`);
  const granted = (await response.json()) as { access_token: string; refresh_token?: string; expires_in?: number };
  return {
    accessToken: granted.access_token,
    refreshToken: granted.refresh_token ?? parameters['refresh_token'] ?? null,
    renewAt: Date.now() + (granted.expires_in ?? 300) * 800,
  };
}
