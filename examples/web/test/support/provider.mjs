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

const json = (response, value, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json', 'access-control-allow-origin': '*' }).end(JSON.stringify(value));

/** The sign-in page: its links return to the app. */
function signInPage(parameters, code) {
  const back = (answer) => {
    const target = new URL(parameters.get('redirect_uri'));
    for (const [name, value] of Object.entries({ ...answer, state: parameters.get('state') })) target.searchParams.set(name, value);
    return target.href.replaceAll('&', '&amp;');
  };
  const cancelled = back({ error: 'access_denied', error_description: 'You cancelled the sign-in.' });
  return `<!doctype html><title>Campus ID</title><link rel="icon" href="data:,">
<a href="${back({ code })}">Continue as Grace</a> <a href="${cancelled}">Cancel</a>`;
}

/** The codes and refresh tokens of a provider, and its token endpoint. */
class Grants {
  codes = new Map();
  refreshTokens = new Set();

  constructor(issuer, clientId) {
    Object.assign(this, { issuer, clientId });
  }

  newCode(parameters) {
    const code = randomUUID();
    this.codes.set(code, { challenge: parameters.get('code_challenge'), redirectUri: parameters.get('redirect_uri') });
    return code;
  }

  async answer(request, response) {
    const body = await bodyOf(request);
    const isGranted = body.get('grant_type') === 'refresh_token' ? this.refreshTokens.delete(body.get('refresh_token')) : this.redeem(body);
    if (!isGranted) return json(response, { error: 'invalid_grant' }, 400);
    const refreshToken = randomUUID();
    this.refreshTokens.add(refreshToken);
    return json(response, { access_token: accessToken(this.issuer), token_type: 'Bearer', expires_in: TOKEN_LIFETIME_S, refresh_token: refreshToken });
  }

  redeem(body) {
    const code = this.codes.get(body.get('code'));
    this.codes.delete(body.get('code'));
    const challenge = createHash('sha256').update(body.get('code_verifier') ?? '').digest('base64url');
    return code?.challenge === challenge && code.redirectUri === body.get('redirect_uri') && body.get('client_id') === this.clientId;
  }
}

export async function startProvider(port, clientId) {
  const issuer = `http://127.0.0.1:${port}`;
  const grants = new Grants(issuer, clientId);
  const configuration = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/.well-known/jwks.json` };
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (pathname === '/.well-known/openid-configuration') return json(response, configuration);
    if (pathname === '/.well-known/jwks.json') return json(response, { keys });
    if (pathname === '/token') return void grants.answer(request, response);
    const isValid = pathname === '/authorize' && searchParams.get('client_id') === clientId && searchParams.get('response_type') === 'code';
    if (!isValid) return json(response, {}, 400);
    response.writeHead(200, { 'content-type': 'text/html' }).end(signInPage(searchParams, grants.newCode(searchParams)));
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return server;
}
