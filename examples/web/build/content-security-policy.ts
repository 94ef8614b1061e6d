// Adds a strict Content-Security-Policy to the built page. The tokens are stored where every script of the page can read them, so only the
// app's own scripts may run. Notes cannot load pictures of other sites, which would tell those sites who reads them.

import type { Plugin } from 'vite';

const DEFAULT_SERVICE = 'http://127.0.0.1:8080';

/** The origins that the settings name, without the page's own. */
function originsOf(env: Record<string, string>) {
  const service = env['VITE_SERVICE'] === '' ? [] : [new URL(env['VITE_SERVICE'] ?? DEFAULT_SERVICE).origin];
  const providers = (JSON.parse(env['VITE_PROVIDERS'] || '[]') as { issuer: string }[]).map(({ issuer }) => new URL(issuer).origin);
  const pictures = (env['VITE_PICTURE_ORIGINS'] ?? '').split(' ').filter(Boolean);
  return { service, sockets: service.map((origin) => origin.replace(/^http/, 'ws')), providers, pictures };
}

function policyOf(env: Record<string, string>): string {
  const { service, sockets, providers, pictures } = originsOf(env);
  const directives = {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'font-src': ["'self'"],
    'img-src': ["'self'", 'blob:', ...service, ...pictures],
    'connect-src': ["'self'", ...service, ...sockets, ...providers, ...pictures],
    'manifest-src': ["'self'"],
    'worker-src': ["'self'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
  };
  return Object.entries(directives)
    .map(([name, values]) => `${name} ${[...new Set(values)].join(' ')}`)
    .join('; ');
}

export function contentSecurityPolicy(env: Record<string, string>): Plugin {
  return {
    name: 'content-security-policy',
    // The development server injects scripts and styles.
    apply: 'build',
    transformIndexHtml() {
      const attrs = { 'http-equiv': 'Content-Security-Policy', content: policyOf(env) };
      return [{ tag: 'meta', attrs, injectTo: 'head-prepend' as const }];
    },
  };
}
