// Settings of the build: README.md describes them.

/** An external identity provider (OpenID Connect). */
export interface Provider {
  /** The provider's name in the service's settings. */
  readonly name: string;
  /** The text of its button. */
  readonly label: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Default `openid profile email offline_access`. */
  readonly scope?: string;
  /** The `audience` that some providers need, such as Auth0. */
  readonly audience?: string;
}

/** The service. An empty setting means the origin of the page. */
const service = (import.meta.env['VITE_SERVICE'] as string | undefined) ?? 'http://127.0.0.1:8080';

export const graphqlUrl = new URL('/graphql', service || location.origin).href;

export const providers = JSON.parse((import.meta.env['VITE_PROVIDERS'] as string | undefined) || '[]') as readonly Provider[];
