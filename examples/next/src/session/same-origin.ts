// Protection against cross-site request forgery: whether a page of this app sent the request.

/**
 * Browsers say where a request comes from, and no page can change that. `same-site` is not enough: it includes other subdomains and ports,
 * whose requests have the cookies. Browsers send no Sec-Fetch-Site over HTTP to other machines, but always the origin.
 */
export function isSameOrigin({ headers }: Request): boolean {
  const site = headers.get('sec-fetch-site');
  if (site) return site === 'same-origin';
  const origin = headers.get('origin');
  return origin !== null && URL.canParse(origin) && new URL(origin).host === headers.get('host');
}

export const rejection = () => new Response('This request did not come from a page of this app.', { status: 403 });
