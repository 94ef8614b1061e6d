// End-to-end check of the GraphiQL page of a running service, in a headless Chromium:
//
//   node check.mjs http://localhost:8080 screenshot.png
//
// It uses the page like a user and fails on the first error: in the console, a violation of the Content-Security-Policy, a request to
// another origin, or a missing editor worker. It creates one user. CHROMIUM is the browser's binary (default /usr/bin/chromium).

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chromium } from 'playwright-core';

const [baseUrl, screenshotPath] = process.argv.slice(2);
if (!screenshotPath) {
  console.error('usage: node check.mjs <base URL> <path of the screenshot>');
  process.exit(2);
}
const { origin } = new URL(baseUrl);

const ACTION_TIMEOUT_MS = 15_000;
const RESPONSE = '.graphiql-response';
const QUERY = '.graphiql-query-editor';
const HEADERS = '.graphiql-editor-tool .graphiql-editor:not(.hidden)';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
});
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
page.setDefaultTimeout(ACTION_TIMEOUT_MS);
const { problems, workers } = watch(page);
try {
  await opensAtBothPaths(page);
  await errorsAreMarked(page);
  await fieldsAreCompleted(page);
  const { email, password, token } = await signUp(page);
  await headersSignIn(page, email, token);
  await documentationOpens(page);
  await subscriptionsRunUntilStopped(page, token);
  await subscriptionsEndWithTheirTab(page);
  await subscriptionsShowTheirErrors(page, email, password);
  await reloadKeepsTabsButNoToken(page, token);

  for (const kind of ['editor', 'graphql', 'json']) {
    assert(workers.some((url) => url.includes(`/${kind}.worker-`)), `the ${kind} worker did not start`);
  }
  assert.deepEqual(problems, []);
  console.log(`GraphiQL works at ${origin}; see ${screenshotPath}`);
} catch (error) {
  await page.screenshot({ path: screenshotPath });
  console.error(`GraphiQL does not work at ${origin}; see ${screenshotPath}`, problems);
  throw error;
} finally {
  await browser.close();
}

/** Collects problems, and the URLs of workers that start. */
function watch(page) {
  const problems = [];
  const workers = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith('data:') && new URL(url).origin !== origin) problems.push(`request to another origin: ${url}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`HTTP ${response.status()}: ${response.url()}`);
  });
  page.on('worker', (worker) => workers.push(worker.url()));
  return { problems, workers };
}

async function opensAtBothPaths(page) {
  for (const path of ['/graphql', '/graphiql']) {
    const response = await page.goto(origin + path);
    assert.match(await response.headerValue('content-security-policy'), /default-src 'none'/);
    await page.locator(`${QUERY} .view-line`).first().waitFor();
    assert.match(await page.title(), /SnapNote/);
  }
}

/** The editor marks only an unknown field, so the page's initial operations match the schema. */
async function errorsAreMarked(page) {
  await page.locator(`${QUERY} .view-lines`).click();
  await page.keyboard.press('Control+End');
  await type(page, 'query Wrong { me { emial } }');
  await page.locator(`${QUERY} .squiggly-error`).first().waitFor();
  // Reads the markers from Monaco's global, because the editor renders only visible lines.
  const marked = await page.evaluate(() => globalThis.__MONACO.editor.getModelMarkers({ owner: 'graphql' }));
  assert.equal(marked.length, 1, JSON.stringify(marked));
  assert.match(marked[0].message, /emial/);
}

async function fieldsAreCompleted(page) {
  await write(page, QUERY, '{ me { ema } }');
  for (let step = 0; step < ' } }'.length; step++) await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Control+Space');
  await page.locator('.suggest-widget .monaco-list-row', { hasText: 'emailVerified' }).waitFor();
  await page.keyboard.press('Escape');
}

async function signUp(page) {
  // Short, so that the response pane does not wrap it.
  const email = `graphiql-${randomUUID().slice(0, 8)}@example.com`;
  const password = randomUUID();
  await write(
    page,
    QUERY,
    `mutation { signUp(input: { name: "Ada", email: "${email}", password: "${password}" }) ` +
      '{ accessToken userErrors { code field message } } }',
  );
  const { data } = await run(page);
  assert.deepEqual(data?.signUp?.userErrors, []);
  const token = data.signUp.accessToken;
  assert(token, 'no access token');
  return { email, password, token };
}

async function headersSignIn(page, email, token) {
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${token}` }));
  await write(page, QUERY, '{ me { email } }');
  assert.deepEqual(await run(page), { data: { me: { email } } });
  await page.locator(RESPONSE, { hasText: email }).waitFor();
}

async function documentationOpens(page) {
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await page.getByRole('link', { name: 'Query', exact: true }).click();
  await page.getByRole('link', { name: 'courses', exact: true }).waitFor();
}

/** A subscription shows changes of other clients live, and Stop ends its request. Takes the screenshot. */
async function subscriptionsRunUntilStopped(page, token) {
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${token}` }));
  const { changesCursor } = await send(token, '{ changesCursor }');
  const earlier = await createCourse(token);
  await write(page, QUERY, `subscription { changes(after: "${changesCursor}") { action itemId } }`);
  const request = await subscribe(page);
  assert.deepEqual(await responseWith(page, earlier), created(earlier));
  const later = await createCourse(token);
  assert.deepEqual(await responseWith(page, later), created(later));
  await page.screenshot({ path: screenshotPath });
  await ends(page, request, () => page.getByRole('button', { name: 'Stop query' }).click());
}

/** Opening a tab stops the operation of the old one. Otherwise its events would appear in the new tab. */
async function subscriptionsEndWithTheirTab(page) {
  const request = await subscribe(page);
  await ends(page, request, () => page.getByRole('button', { name: 'New tab' }).click());
  await page.getByRole('button', { name: 'Close tab' }).last().click();
}

/** Each run uses the current token of the Headers tab, and a subscription that cannot continue shows its error. */
async function subscriptionsShowTheirErrors(page, email, password) {
  await write(page, QUERY, 'subscription { changes(after: "x") { itemId } }');
  await subscribe(page);
  await responseWith(page, '"BAD_USER_INPUT"');
  await nothingRuns(page);

  const token = await signIn(email, password);
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${token}` }));
  const { changesCursor } = await send(token, '{ changesCursor }');
  await write(page, QUERY, `subscription { changes(after: "${changesCursor}") { action itemId } }`);
  await subscribe(page);
  const course = await createCourse(token);
  assert.deepEqual(await responseWith(page, course), created(course));
  // Ends only this token's session, not the first one.
  await send(token, 'mutation { signOut { signedOut } }');
  await responseWith(page, '"UNAUTHENTICATED"');
  await nothingRuns(page);
}

/** Sends an operation as another client. */
async function send(token, query) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  assert(data, JSON.stringify(errors));
  return data;
}

/** Signs in again and returns the new session's token. */
async function signIn(email, password) {
  const input = `{ email: "${email}", password: "${password}" }`;
  const { signIn } = await send(undefined, `mutation { signIn(input: ${input}) { accessToken } }`);
  return signIn.accessToken;
}

async function createCourse(token) {
  const input = '{ name: "Algebra", color: "#4F6BED" }';
  const { createCourse } = await send(token, `mutation { createCourse(input: ${input}) { course { id } } }`);
  return createCourse.course.id;
}

/** Starts the subscription in the editor. Returns its request when the response begins. */
async function subscribe(page) {
  const started = page.waitForResponse((response) => response.url() === `${origin}/graphql`);
  await page.getByRole('button', { name: 'Execute query' }).click();
  const response = await started;
  assert.match(await response.headerValue('content-type'), /^text\/event-stream/);
  return response.request();
}

async function ends(page, request, stop) {
  const ended = page.waitForEvent('requestfailed', (failed) => failed === request);
  await stop();
  assert.equal((await ended).failure().errorText, 'net::ERR_ABORTED');
  await nothingRuns(page);
}

async function nothingRuns(page) {
  await page.getByRole('button', { name: 'Execute query' }).waitFor();
}

function created(itemId) {
  return { data: { changes: { action: 'CREATED', itemId } } };
}

/** Waits until the response pane contains a text, and returns the response. */
async function responseWith(page, text) {
  const response = await page.waitForFunction((text) => {
    const models = globalThis.__MONACO.editor.getModels();
    const response = models.find(({ uri }) => uri.path.endsWith('response.json')).getValue();
    return response.includes(text) && response;
  }, text);
  return JSON.parse(await response.jsonValue());
}

async function reloadKeepsTabsButNoToken(page, token) {
  await write(page, QUERY, '{ me { email } }');
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert(!stored.includes(token), 'the browser’s storage contains the token');
  await page.reload();
  await page.locator(QUERY, { hasText: 'me { email }' }).waitFor();
}

/** Replaces the text of an editor. */
async function write(page, editor, text) {
  await page.locator(`${editor} .monaco-editor`).first().click();
  await page.keyboard.press('Control+A');
  await type(page, text);
  // Waits until GraphiQL has parsed the new text. Before, it would run the new text with the old operation name.
  if (editor === QUERY) await page.waitForFunction(isStored, text);
}

function isStored(query) {
  const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
  return tabs[activeTabIndex].query === query;
}

/** Inserts text at the cursor and deletes the brackets that the editor adds after it. */
async function type(page, text) {
  await page.keyboard.insertText(text);
  await page.keyboard.press('Control+Shift+End');
  await page.keyboard.press('Delete');
}

/** Runs the operation at the cursor and returns the response. */
async function run(page) {
  const response = page.waitForResponse((response) => response.url() === `${origin}/graphql`);
  await page.keyboard.press('Control+Enter');
  return (await response).json();
}
