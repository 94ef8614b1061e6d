// Signing in with the button and with a header, and what the browser stores.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { HEADERS, QUERY, responseWith, run, screenshot, signIn, write } from './page.mjs';

/** A user who signed up in the editor. */
export async function signUp(page) {
  // Short, so that the response pane does not wrap it.
  const email = `graphiql-${randomUUID().slice(0, 8)}@example.com`;
  const password = randomUUID();
  const input = `{ name: "Ada", email: "${email}", password: "${password}" }`;
  await write(page, QUERY, `mutation { signUp(input: ${input}) { accessToken userErrors { code field message } } }`);
  const { data } = await run(page);
  assert.deepEqual(data?.signUp?.userErrors, []);
  const token = data.signUp.accessToken;
  assert(token, 'no access token');
  return { email, password, token };
}

/** A token in the Headers tab is used, and overrides the button. */
export async function headersSignIn(page, { email, token }) {
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${token}` }));
  await write(page, QUERY, '{ me { email } }');
  assert.deepEqual(await run(page), { data: { me: { email } } });
  await responseWith(page, email);
  await write(page, HEADERS, '{}');
}

/** After a wrong password and the right one, the button signs in every tab. Works with the keyboard alone. */
export async function buttonSignsIn(page, { email, password }) {
  await page.getByRole('button', { name: 'Sign in' }).click();
  const dialog = page.getByRole('dialog', { name: 'Sign in' });
  await page.keyboard.type(email);
  await page.keyboard.press('Tab');
  await page.keyboard.type('not the password');
  await page.keyboard.press('Enter');
  await dialog.getByRole('alert').filter({ hasText: /password/i }).waitFor();
  await screenshot(page, 'wrong-password');
  await dialog.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await page.getByText(email, { exact: true }).first().waitFor();

  await page.getByRole('button', { name: 'New tab' }).click();
  await write(page, QUERY, '{ me { email } }');
  assert.deepEqual(await run(page), { data: { me: { email } } });
  await page.getByRole('button', { name: 'Close tab' }).last().click();
}

/** How long a new access token is valid. */
export async function tokenLifetime(user) {
  const { accessTokenExpiresAt } = await signIn(user);
  return Math.max(0, Date.parse(accessTokenExpiresAt) - Date.now());
}

export async function signsOut(page, { email }) {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await write(page, QUERY, '{ courses { totalCount } }');
  await page.keyboard.press('Control+Enter');
  await responseWith(page, 'UNAUTHENTICATED');
  assert.equal(await page.getByText(email, { exact: true }).count(), 0);
}

/** The browser stores neither tokens nor passwords nor headers, and a reload signs out. */
export async function nothingSecretIsStored(page, { token, password }) {
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${token}`, 'X-Kept': 'a header' }));
  await write(page, QUERY, `mutation { signIn(input: { email: "x@example.com", password: "${password}" }) { accessToken } }`);
  await run(page);
  await write(page, QUERY, '{ me { email } }');
  await run(page);
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  for (const secret of [token, password, 'a header']) assert(!stored.includes(secret), `the browser stores ${secret}`);
  assert(stored.includes('signIn'), 'the history does not contain the operation');
  await page.reload();
  await page.locator(QUERY, { hasText: 'me { email }' }).waitFor();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
}
