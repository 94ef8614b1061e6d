import assert from 'node:assert/strict';
import { test } from './support/test.mjs';
import { api, go, heading, isLive, newUser, signIn, signUp } from './support/app.mjs';
import { assertNoProblems, eventually, newDevice, newWindow } from './support/browser.mjs';

test('a user signs up, signs out and signs in again', async () => {
  const device = await newDevice();
  const user = newUser();
  const page = await signUp(device, user);
  await heading(page, 'Courses');
  await go(page, 'Account');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading(page, 'Sign in');
  const databases = () => page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  await eventually(async () => String(await databases()) === 'snapnote-session', 'the items are removed from this device');
  await page.close();
  await signIn(device, user);
  assertNoProblems(device);
  await device.close();
});

test('wrong passwords, weak passwords and taken addresses are explained', async () => {
  const device = await newDevice();
  const user = newUser();
  await (await signUp(device, user)).close();
  const other = await newDevice();
  const page = await newWindow(other);
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'is wrong' }).waitFor();
  await page.getByRole('button', { name: 'Create an account' }).click();
  await page.getByLabel('Name').fill('Ada');
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password').fill('password1');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('This password is easy to guess.').waitFor();
  await page.getByLabel('Password').fill(user.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('An account has this email address already.').waitFor();
  assertNoProblems(other);
  await Promise.all([device.close(), other.close()]);
});

test('a user signs in at an external identity provider, and stays signed in', async () => {
  const device = await newDevice();
  const page = await newWindow(device);
  await page.getByRole('button', { name: 'Continue with Campus ID' }).click();
  await page.getByRole('link', { name: 'Cancel' }).click();
  await page.getByText('You cancelled the sign-in.').waitFor();
  await page.getByRole('link', { name: 'Back to sign-in' }).click();
  await page.getByRole('button', { name: 'Continue with Campus ID' }).click();
  await page.getByRole('link', { name: 'Continue as Grace' }).click();
  await isLive(page);
  await heading(page, 'Courses');
  await page.reload();
  await isLive(page);
  await go(page, 'Account');
  await page.getByText('grace@campus.example').waitFor();
  await page.getByText('Campus ID').waitFor();
  // The provider's token is renewed.
  await page.evaluate(() => {
    const session = JSON.parse(localStorage.getItem('snapnote:external'));
    localStorage.setItem('snapnote:external', JSON.stringify({ ...session, renewAt: 0 }));
  });
  await page.reload();
  await isLive(page);
  const renewAt = await page.evaluate(() => JSON.parse(localStorage.getItem('snapnote:external')).renewAt);
  assert.ok(renewAt > Date.now());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading(page, 'Sign in');
  assertNoProblems(device);
  await device.close();
});

test('a response of a provider to a sign-in that was not started here is rejected', async () => {
  const device = await newDevice();
  const page = await newWindow(device, '/callback?code=stolen&state=guessed');
  await page.getByText('This sign-in was not started here.').waitFor();
  assertNoProblems(device);
  await device.close();
});

test('an ended session keeps changes, and continues after the next sign-in', async () => {
  const device = await newDevice();
  const user = newUser();
  const page = await signUp(device, user);
  const { me } = await api(user, '{ me { sessions { id current } } }');
  for (const { id, current } of me.sessions) {
    if (!current) await api(user, 'mutation($id: ID!) { revokeSession(input: { sessionId: $id }) { userErrors { code } } }', { id });
  }
  await page.getByText('Your session has ended.').waitFor({ timeout: 30_000 });
  await page.getByRole('button', { name: 'New course' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Written while signed out');
  await page.getByRole('button', { name: 'Create course' }).click();
  await heading(page, 'Written while signed out');
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password').fill(user.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await isLive(page);
  const { courses } = await api(user, '{ courses { nodes { name } } }');
  assert.deepEqual(courses.nodes, [{ name: 'Written while signed out' }]);
  assertNoProblems(device, /401/);
  await device.close();
});

test('the profile is saved, and other devices can be signed out', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  const page = await signUp(device, user);
  await signIn(other, user);
  await go(page, 'Account');
  await page.getByLabel('Learning goals').fill('Proofs');
  await page.getByRole('radio', { name: 'Beginner' }).check();
  await page.getByRole('button', { name: 'Save profile' }).click();
  await page.getByText('Your profile is saved.').waitFor();
  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByText('The session is ended.').waitFor();
  await page.getByRole('button', { name: 'End session' }).waitFor({ state: 'detached' });
  const { me } = await api(user, '{ me { profile { learningGoals proficiency } } }');
  assert.deepEqual(me.profile, { learningGoals: 'Proofs', proficiency: 'BEGINNER' });
  assertNoProblems(device);
  await Promise.all([device.close(), other.close()]);
});
