// A small OpenID Connect provider with one user: discovery, sign-in page, tokens with PKCE, refresh tokens and keys.

import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';

const TOKEN_LIFETIME_S = 60;
const USER = { sub: 'campus-7', email: 'grace@campus.example', email_verified: true, name: 'Grace' };

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function accessToken(issuer) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: 'snapnote', iat: now, exp: now + TOKEN_LIFETIME_S, auth_time: now, ...USER };
  const signed = `${part({ alg: 'RS256', kid: 'one', typ: 'at+jwt' })}.${part(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
}

export async function startProvider(port, clientId) {
  const issuer = `http://127.0.0.1:${port}`;
  const codes = new Map();
  const refreshTokens = new Set();
  const json = (response, value, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json', 'access-control-allow-origin': '*' }).end(JSON.stringify(value));
  const grant = (response) => {
    const refreshToken = randomUUID();
    refreshTokens.add(refreshToken);
    json(response, { access_token: accessToken(issuer), token_type: 'Bearer', expires_in: TOKEN_LIFETIME_S, refresh_token: refreshToken });
  };
  const routes = {
    '/.well-known/openid-configuration': (_, response) =>
      json(response, { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/.well-known/jwks.json` }),
    '/.well-known/jwks.json': (_, response) =>
      json(response, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] }),
    '/authorize': (url, response) => {
      const parameters = url.searchParams;
      if (parameters.get('client_id') !== clientId || parameters.get('response_type') !== 'code') return json(response, {}, 400);
      const back = (answer) => {
        const target = new URL(parameters.get('redirect_uri'));
        for (const [name, value] of Object.entries({ ...answer, state: parameters.get('state') })) target.searchParams.set(name, value);
        return target.href.replaceAll('&', '&amp;');
      };
      const code = randomUUID();
      codes.set(code, { challenge: parameters.get('code_challenge'), redirectUri: parameters.get('redirect_uri') });
      const links = `<a href="${back({ code })}">Continue as Grace</a> <a href="${back({ error: 'access_denied', error_description: 'You cancelled the sign-in.' })}">Cancel</a>`;
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>Campus ID</title><link rel="icon" href="data:,">${links}`);
    },
    '/token': async (_, response, request) => {
      const body = await bodyOf(request);
      if (body.get('grant_type') === 'refresh_token') {
        return refreshTokens.delete(body.get('refresh_token')) ? grant(response) : json(response, { error: 'invalid_grant' }, 400);
      }
      const code = codes.get(body.get('code'));
      codes.delete(body.get('code'));
      const challenge = createHash('sha256').update(body.get('code_verifier') ?? '').digest('base64url');
      const isValid = code?.challenge === challenge && code.redirectUri === body.get('redirect_uri') && body.get('client_id') === clientId;
      return isValid ? grant(response) : json(response, { error: 'invalid_grant' }, 400);
    },
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url, issuer);
    const route = routes[url.pathname];
    return route ? route(url, response, request) : json(response, {}, 404);
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return server;
}
