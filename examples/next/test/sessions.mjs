// Tokens: where they are, when they are renewed, and how sessions end.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { api, assertNoProblems, cookiesOf, eventually, expired, fillIn, heading, newDevice, open, signedUp, tokenOf } from './support/browser.mjs';
import { SECOND_APP } from './support/processes.mjs';
import { world } from './support/world.mjs';

const AUDIT = '{ me { auditLog(first: 100) { nodes { action } } sessions { id ipAddress userAgent } } }';

it('keeps tokens where scripts cannot read them', async () => {
  const device = await newDevice();
  const bodies = [];
  device.on('response', (response) => bodies.push(response.text().catch(() => '')));
  const { page } = await signedUp(device);
  const { access, refresh } = await cookiesOf(device);
  for (const { name, httpOnly, secure, sameSite } of [access, refresh]) {
    assert.deepEqual([name.startsWith('__Host-'), httpOnly, secure, sameSite], [true, true, true, 'Lax']);
  }
  await page.getByLabel('New course').fill('Physics');
  await page.getByRole('button', { name: 'Create course' }).click();
  await page.getByRole('link', { name: 'Physics' }).click();
  await heading(page, 'Physics');
  assert.deepEqual(await page.evaluate(() => [document.cookie, { ...localStorage }, { ...sessionStorage }]), ['', {}, {}]);

  const tokens = new Set(world.relay.operations.map(({ token }) => token).filter(Boolean)).add(access.value).add(refresh.value);
  const sent = [...(await Promise.all(bodies)), await page.content()];
  assert.ok(sent.length > 5 && sent.some((body) => body.includes('Physics')));
  for (const token of tokens) assert.ok(!sent.some((body) => body.includes(token)), 'a token is in a page or a script');
  assertNoProblems(device);
  await device.close();
});

it('renews tokens once when several requests come with an expired one', async () => {
  const { device, page } = await signedUp();
  const other = await open(device, '/courses');
  await expired(device);
  const { refresh } = await cookiesOf(device);
  await Promise.all([page.reload(), other.reload()]);
  await Promise.all([heading(page, 'Courses of Ada'), heading(other, 'Courses of Ada')]);
  assert.equal(world.relay.exchanges(refresh.value), 1);
  const renewed = (await cookiesOf(device)).refresh.value;
  assert.notEqual(renewed, refresh.value);

  await expired(device);
  await page.reload();
  await heading(page, 'Courses of Ada');
  assert.equal(world.relay.exchanges(renewed), 1);
  const { me } = (await api(await tokenOf(device), AUDIT)).data;
  assert.ok(!me.auditLog.nodes.some(({ action }) => action === 'REFRESH_TOKEN_REUSED'));
  await device.close();
});

it('keeps the session when two servers renew the same tokens', async () => {
  const { device, page } = await signedUp();
  const other = await open(device, `${SECOND_APP}/courses`);
  await expired(device);
  const { refresh } = await cookiesOf(device);
  await Promise.all([page.reload(), other.reload()]);
  await Promise.all([heading(page, 'Courses of Ada'), heading(other, 'Courses of Ada')]);
  assert.equal(world.relay.exchanges(refresh.value), 2);
  await expired(device);
  await page.reload();
  await heading(page, 'Courses of Ada');
  await device.close();
});

it('renews tokens for a server action', async () => {
  const { device, page } = await signedUp();
  await expired(device);
  await page.getByLabel('New course').fill('Chemistry');
  await page.getByRole('button', { name: 'Create course' }).click();
  await page.getByRole('link', { name: 'Chemistry' }).waitFor();
  assert.ok((await cookiesOf(device)).access);
  assertNoProblems(device);
  await device.close();
});

it('ends the session at the service when the user signs out, and returns to the page after the next sign-in', async () => {
  const { user, device, page } = await signedUp();
  const token = await tokenOf(device);
  const refreshToken = (await cookiesOf(device)).refresh.value;
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading(page, 'Sign in');
  assert.deepEqual(await cookiesOf(device), {});
  await eventually(async () => (await api(token, '{ me { id } }')).data?.me == null, 'the access token is revoked');
  const { data } = await api(null, 'mutation($token: String!) { refreshSession(input: { refreshToken: $token }) { userErrors { code } } }', { token: refreshToken });
  assert.deepEqual(data.refreshSession.userErrors, [{ code: 'INVALID_TOKEN' }]);

  await page.goto(new URL('/notes/unknown?a=1', page.url()).href);
  await heading(page, 'Sign in');
  await fillIn(page, '/sign-in', { Email: user.email, Password: user.password });
  await heading(page, 'Not found');
  assert.equal(new URL(page.url()).search, '?a=1');
  await device.close();
});

it('asks for a sign-in when the session was revoked elsewhere', async () => {
  const { user, device, page } = await signedUp();
  await page.getByLabel('New course').fill('History');
  await page.getByRole('button', { name: 'Create course' }).click();
  const link = page.getByRole('link', { name: 'History' });
  const course = await link.getAttribute('href');
  const token = await tokenOf(device);
  await api(token, 'mutation { signOut { signedOut } }');
  await eventually(async () => (await api(token, '{ me { id } }')).data?.me == null, 'the access token is revoked');
  await link.click();
  await heading(page, 'Sign in');
  await expired(device);
  await page.reload();
  assert.deepEqual(await cookiesOf(device), {});
  await fillIn(page, '/sign-in', { Email: user.email, Password: user.password });
  await heading(page, 'History');
  assert.equal(page.url().slice(new URL(page.url()).origin.length), course);
  await device.close();
});

it('says when the service is not available, and keeps the session', async (t) => {
  t.after(() => world.relay.open());
  const { device, page } = await signedUp();
  world.relay.close();
  await page.reload();
  await heading(page, 'SnapNote is not available');
  await expired(device);
  await page.reload();
  await heading(page, 'SnapNote is not available');
  await world.relay.open();
  await page.getByRole('link', { name: 'Try again' }).click();
  await heading(page, 'Courses of Ada');

  world.relay.close();
  await page.getByLabel('New course').fill('Biology');
  await page.getByRole('button', { name: 'Create course' }).click();
  await page.getByText('SnapNote is not available. Try again later.').waitFor();
  assert.equal(await page.getByLabel('New course').inputValue(), 'Biology');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You are signed out in this browser only.').waitFor();
  await device.close();
});

it('says when a limit of the service allows the next request', async () => {
  const { device, page } = await signedUp();
  const token = await tokenOf(device);
  for (const [courses, documents] of [[100, 90], [50, 10], [1, 9]]) {
    const query = `{ courses(first: ${courses}) { nodes { documents(first: ${documents}) { nodes { id } } } } }`;
    await eventually(async () => (await api(token, query)).errors?.[0].extensions.code === 'RATE_LIMITED', 'the limit is reached');
  }
  await page.reload();
  await heading(page, 'Too many attempts');
  await page.getByText(/^Try again in \d+ seconds\.$/).waitFor();
  await device.close();
});
