import assert from 'node:assert/strict';
import { test } from './support/test.mjs';
import { api, go, heading, isLive, newUser, signUp } from './support/app.mjs';
import { assertNoProblems, eventually, newDevice, newWindow } from './support/browser.mjs';
import { emailedLink } from './support/mails.mjs';
import { APP } from './support/processes.mjs';

const NEW_PASSWORD = 'nine loud trombones';

async function fillSignIn(page, { email, password }) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Opens the link of an email, and sets the password. */
async function setPassword(page, password) {
  await heading(page, 'Choose a new password');
  await page.getByLabel('New password').fill(password);
  await page.getByRole('button', { name: 'Set password' }).click();
}

test('a user resets a forgotten password with the link in the email', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  const signedIn = await signUp(other, user);
  const page = await newWindow(device);
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await heading(page, 'Reset your password');
  await page.getByLabel('Email').fill(user.email);
  await page.getByRole('button', { name: 'Send link' }).click();
  await page.getByRole('status').filter({ hasText: `If ${user.email} has an account, a link is on its way.` }).waitFor();
  const link = await emailedLink(user, '/reset-password');
  await page.goto(APP + link);
  await setPassword(page, 'password1');
  await page.getByText('This password is easy to guess.').waitFor();
  assert.equal(new URL(page.url()).hash, '');
  await setPassword(page, NEW_PASSWORD);
  await page.getByText('Your password is changed. Sign in with the new one.').waitFor();
  await heading(page, 'Sign in');
  await fillSignIn(page, user);
  await page.getByRole('alert').filter({ hasText: 'is wrong' }).waitFor();
  user.password = NEW_PASSWORD;
  await fillSignIn(page, user);
  await isLive(page);
  await signedIn.getByText('Your session has ended.').waitFor();
  const { me } = await api(user, '{ me { sessions { id } } }');
  assert.equal(me.sessions.length, 2, 'the sessions of this device and of the test');
  assertNoProblems(device);
  assertNoProblems(other, /401/);
  await Promise.all([device.close(), other.close()]);
});

test('a link to reset a password works once, also while another user is signed in', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  await (await signUp(other, user)).close();
  const page = await signUp(device, newUser('Grace'));
  await api(user, 'mutation($email: String!) { requestPasswordReset(input: { email: $email }) { accepted } }', { email: user.email });
  const link = await emailedLink(user, '/reset-password');
  const hasExpired = page.getByRole('alert').filter({ hasText: 'This link has expired or was used.' });
  await page.goto(`${APP}/reset-password#token=unknown`);
  await setPassword(page, NEW_PASSWORD);
  await hasExpired.waitFor();
  await page.goto(APP + link);
  await hasExpired.waitFor({ state: 'detached' });
  assert.equal(await page.getByLabel('New password').inputValue(), '');
  await setPassword(page, NEW_PASSWORD);
  await page.getByText('Your password is changed. Use the new one for your next sign-in.').waitFor();
  await isLive(page);
  await go(page, 'Account');
  await page.getByText(/^grace-/).waitFor();
  await page.goto(APP + link);
  await setPassword(page, 'another nine trombones');
  await hasExpired.waitFor();
  await page.getByRole('link', { name: 'Send a new link' }).click();
  await heading(page, 'Reset your password');
  await page.getByRole('link', { name: 'Back to SnapNote' }).click();
  await heading(page, 'Courses');
  await page.goto(`${APP}/reset-password`);
  await page.getByText('Open the link in the email again.').waitFor();
  assertNoProblems(device);
  await Promise.all([device.close(), other.close()]);
});

test('a user verifies the email address with the link in the email', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  const page = await signUp(device, user);
  await go(page, 'Account');
  await page.getByText('Not verified').waitFor();
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText(`A link is on its way to ${user.email}.`).waitFor();
  const link = await emailedLink(user, '/verify-email');
  const opened = await newWindow(other, link);
  await opened.getByText('Sign in to verify your email address.').waitFor();
  await fillSignIn(opened, user);
  await opened.getByText(`${user.email} is verified.`).waitFor();
  await opened.getByRole('link', { name: 'Go to your account' }).click();
  await opened.getByText('Verified', { exact: true }).waitFor();
  await page.goto(APP + link);
  await page.getByText('This link has expired, was used').waitFor();
  await page.reload();
  await page.getByText('Open the link in the email again.').waitFor();
  assertNoProblems(device);
  assertNoProblems(other);
  await Promise.all([device.close(), other.close()]);
});

test('a link to verify the email address is kept during a sign-in at an external identity provider', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  const page = await signUp(device, user);
  await go(page, 'Account');
  await page.getByRole('button', { name: 'Verify' }).click();
  const opened = await newWindow(other, await emailedLink(user, '/verify-email'));
  const explanation = opened.getByText('Sign in to verify your email address.');
  const pending = () => opened.evaluate(() => sessionStorage.getItem('snapnote:sign-in'));
  await opened.getByRole('button', { name: 'Create an account' }).click();
  await explanation.waitFor({ state: 'detached' });
  const provider = opened.getByRole('button', { name: 'Continue with Campus ID' });
  await provider.click();
  await opened.getByRole('link', { name: 'Cancel' }).waitFor();
  await opened.goBack();
  await explanation.waitFor();
  await eventually(async () => (await pending()) === null, 'the token of the link is not stored after the return');
  await provider.click();
  await opened.getByRole('link', { name: 'Cancel' }).click();
  await opened.getByRole('link', { name: 'Back to sign-in' }).click();
  await explanation.waitFor();
  await provider.click();
  await opened.getByRole('link', { name: 'Continue as Grace' }).click();
  await opened.getByText('belongs to another account').waitFor();
  assert.equal(await pending(), null);
  assert.equal(new URL(opened.url()).hash, '');
  assertNoProblems(device);
  assertNoProblems(other);
  await Promise.all([device.close(), other.close()]);
});

test('a link for a new address that another user has by now is explained', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const [user, later] = [newUser(), newUser()];
  const page = await signUp(device, user);
  const change = 'mutation($input: RequestEmailChangeInput!) { requestEmailChange(input: $input) { userErrors { code } } }';
  const { requestEmailChange } = await api(user, change, { input: { newEmail: later.email, password: user.password } });
  assert.deepEqual(requestEmailChange.userErrors, []);
  const link = await emailedLink(later, '/verify-email');
  await signUp(other, later);
  await page.goto(APP + link);
  await page.getByText('Another user has the new address by now.').waitFor();
  assertNoProblems(device);
  assertNoProblems(other);
  await Promise.all([device.close(), other.close()]);
});
