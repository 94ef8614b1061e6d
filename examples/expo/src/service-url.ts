// Where the service is.

const PORT = 8080;

/**
 * The service's GraphQL endpoint. During development, it runs on the machine that serves the app's code. The phone knows that machine by
 * its address in the local network, because `localhost` is the phone itself.
 * @param configured `EXPO_PUBLIC_SERVICE`
 * @param hostUri Expo's `hostUri`, for example `192.168.1.20:8081`. Undefined in builds.
 */
export function graphqlUrl(configured: string | undefined, hostUri: string | undefined): string {
  if (configured) return `${configured.replace(/\/+$/, '')}/graphql`;
  if (!hostUri) throw new Error('Set EXPO_PUBLIC_SERVICE to the URL of the service.');
  return `http://${new URL(`http://${hostUri}`).hostname}:${PORT}/graphql`;
}
