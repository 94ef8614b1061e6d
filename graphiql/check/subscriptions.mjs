// Subscriptions: the list of events, and how they end.

import assert from 'node:assert/strict';
import { tokenLifetime } from './account.mjs';
import { HEADERS, QUERY, createCourse, origin, responseWith, screenshot, send, signIn, write } from './page.mjs';

const EVENTS = '.events li';

/**
 * A subscription lists all events, the newest first. If tokens expire soon (a service started for this check), it continues with a new
 * token. Stop ends its request.
 */
export async function eventsAreListed(page, user) {
  const { accessToken } = await signIn(user);
  const { changesCursor } = await send(accessToken, '{ changesCursor }');
  const earlier = await createCourse(accessToken);
  await write(page, QUERY, `subscription { changes(after: "${changesCursor}") { action itemId } }`);
  await subscribe(page);
  assert.deepEqual(await responseWith(page, earlier), created(earlier));
  const lifetime = await tokenLifetime(user);
  if (lifetime <= 30_000) await page.waitForTimeout(lifetime);
  const later = await createCourse((await signIn(user)).accessToken);
  assert.deepEqual(await responseWith(page, later), created(later));

  await page.getByRole('status').filter({ hasText: '2 events' }).waitFor();
  const listed = await page.locator(`${EVENTS} code`).allTextContents();
  assert.deepEqual(listed.map((text) => JSON.parse(text)), [created(later).data, created(earlier).data]);
  await page.locator(`${EVENTS} summary`).last().click();
  assert.deepEqual(JSON.parse(await page.locator(`${EVENTS} pre`).textContent()), created(earlier));
  await screenshot(page, 'events');
  await page.getByRole('button', { name: 'Stop query' }).click();
  await nothingRuns(page);
  assert.equal(await page.locator(EVENTS).count(), 2);
  await page.getByRole('button', { name: 'Clear' }).click();
  assert.equal(await page.locator('.events').count(), 0);
}

/** Opening a tab stops the operation of the old one. Otherwise its events would appear in the new tab. */
export async function subscriptionsEndWithTheirTab(page) {
  const request = await subscribe(page);
  const ended = page.waitForEvent('requestfailed', (failed) => failed === request);
  await page.getByRole('button', { name: 'New tab' }).click();
  assert.equal((await ended).failure().errorText, 'net::ERR_ABORTED');
  await nothingRuns(page);
  await page.getByRole('button', { name: 'Close tab' }).last().click();
}

/** Each run uses the current token of the Headers tab, and a subscription that cannot continue shows its error. */
export async function subscriptionsShowTheirErrors(page, user) {
  await write(page, QUERY, 'subscription { changes(after: "x") { itemId } }');
  await subscribe(page);
  await responseWith(page, '"BAD_USER_INPUT"');
  await nothingRuns(page);

  const { accessToken } = await signIn(user);
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${accessToken}` }));
  const { changesCursor } = await send(accessToken, '{ changesCursor }');
  await write(page, QUERY, `subscription { changes(after: "${changesCursor}") { action itemId } }`);
  await subscribe(page);
  const course = await createCourse(accessToken);
  assert.deepEqual(await responseWith(page, course), created(course));
  // Ends only this token's session, not the others.
  await send(accessToken, 'mutation { signOut { signedOut } }');
  await responseWith(page, '"UNAUTHENTICATED"');
  await nothingRuns(page);
  await write(page, HEADERS, '{}');
}

/** Starts the subscription in the editor. Returns its request when the response begins. */
async function subscribe(page) {
  const started = page.waitForResponse(async (response) => {
    const type = await response.headerValue('content-type');
    return response.url() === `${origin}/graphql` && type.startsWith('text/event-stream');
  });
  await page.getByRole('button', { name: 'Execute query' }).click();
  return (await started).request();
}

async function nothingRuns(page) {
  await page.getByRole('button', { name: 'Execute query' }).waitFor();
}

function created(itemId) {
  return { data: { changes: { action: 'CREATED', itemId } } };
}
