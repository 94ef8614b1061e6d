// Uses the GraphiQL page of a running service as a person would, in a headless Chromium, and fails on the first thing
// that is not as it should be: a mistake in the console, a breach of the Content-Security-Policy, a request to another
// origin, an editor without its workers. It leaves one user behind in the service's database.
//
//   node check.mjs http://localhost:8080 screenshot.png
//
// CHROMIUM names the browser's binary; /usr/bin/chromium if it is not set.

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
  await mistakesAreMarked(page);
  await fieldsAreCompleted(page);
  const { email, password, token } = await signUp(page);
  await headersSignIn(page, email, token);
  await documentationOpens(page);
  await subscriptionsTellUntilStopped(page, token);
  await subscriptionsEndWithTheirTab(page);
  await subscriptionsSayWhyTheyEnd(page, email, password);
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

/** Collects what must not happen, and the addresses of the workers that start. */
function watch(page) {
  const problems = [];
  const workers = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith('data:') && new URL(url).origin !== origin) problems.push(`foreign request: ${url}`);
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

/** A field that does not exist is marked, and it alone: the operations that the page opens with fit the schema. */
async function mistakesAreMarked(page) {
  await page.locator(`${QUERY} .view-lines`).click();
  await page.keyboard.press('Control+End');
  await type(page, 'query Wrong { me { emial } }');
  await page.locator(`${QUERY} .squiggly-error`).first().waitFor();
  // The editor draws only what is in view; GraphiQL leaves Monaco in a global.
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
  // Short, so that the answer's pane does not wrap it.
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

/** What happens elsewhere is seen as it happens, and the request ends with Stop. The screenshot is of this. */
async function subscriptionsTellUntilStopped(page, token) {
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${token}` }));
  const { changesCursor } = await ask(token, '{ changesCursor }');
  const earlier = await createCourse(token);
  await write(page, QUERY, `subscription { changes(after: "${changesCursor}") { action itemId } }`);
  const request = await subscribe(page);
  assert.deepEqual(await answerWith(page, earlier), created(earlier));
  const later = await createCourse(token);
  assert.deepEqual(await answerWith(page, later), created(later));
  await page.screenshot({ path: screenshotPath });
  await ends(page, request, () => page.getByRole('button', { name: 'Stop query' }).click());
}

/** A new tab ends what runs in the old one, which would else be answered in the new one. */
async function subscriptionsEndWithTheirTab(page) {
  const request = await subscribe(page);
  await ends(page, request, () => page.getByRole('button', { name: 'New tab' }).click());
  await page.getByRole('button', { name: 'Close tab' }).last().click();
}

/** Each run takes the token that then stands in the headers tab; what cannot go on says why, as any answer does. */
async function subscriptionsSayWhyTheyEnd(page, email, password) {
  await write(page, QUERY, 'subscription { changes(after: "x") { itemId } }');
  await subscribe(page);
  await answerWith(page, '"BAD_USER_INPUT"');
  await nothingRuns(page);

  const token = await signIn(email, password);
  await write(page, HEADERS, JSON.stringify({ Authorization: `Bearer ${token}` }));
  const { changesCursor } = await ask(token, '{ changesCursor }');
  await write(page, QUERY, `subscription { changes(after: "${changesCursor}") { action itemId } }`);
  await subscribe(page);
  const course = await createCourse(token);
  assert.deepEqual(await answerWith(page, course), created(course));
  // Of the two sessions only that of this token ends.
  await ask(token, 'mutation { signOut { signedOut } }');
  await answerWith(page, '"UNAUTHENTICATED"');
  await nothingRuns(page);
}

/** Asks the service as another program would. */
async function ask(token, query) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  assert(data, JSON.stringify(errors));
  return data;
}

/** Begins another session; returns its token. */
async function signIn(email, password) {
  const input = `{ email: "${email}", password: "${password}" }`;
  const { signIn } = await ask(undefined, `mutation { signIn(input: ${input}) { accessToken } }`);
  return signIn.accessToken;
}

async function createCourse(token) {
  const input = '{ name: "Algebra", color: "#4F6BED" }';
  const { createCourse } = await ask(token, `mutation { createCourse(input: ${input}) { course { id } } }`);
  return createCourse.course.id;
}

/** Starts the subscription in the editor; returns its request once the service has begun to answer. */
async function subscribe(page) {
  const answer = page.waitForResponse((response) => response.url() === `${origin}/graphql`);
  await page.getByRole('button', { name: 'Execute query' }).click();
  const response = await answer;
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

/** Waits until a text stands in the answer's pane, and returns the answer. */
async function answerWith(page, text) {
  const answer = await page.waitForFunction((text) => {
    const models = globalThis.__MONACO.editor.getModels();
    const answer = models.find(({ uri }) => uri.path.endsWith('response.json')).getValue();
    return answer.includes(text) && answer;
  }, text);
  return JSON.parse(await answer.jsonValue());
}

async function reloadKeepsTabsButNoToken(page, token) {
  await write(page, QUERY, '{ me { email } }');
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert(!stored.includes(token), 'the token lies in the browser’s storage');
  await page.reload();
  await page.locator(QUERY, { hasText: 'me { email }' }).waitFor();
}

/** Replaces an editor's text. */
async function write(page, editor, text) {
  await page.locator(`${editor} .monaco-editor`).first().click();
  await page.keyboard.press('Control+A');
  await type(page, text);
  // Until GraphiQL has read a new text, it runs that by the old one's name.
  if (editor === QUERY) await page.waitForFunction(isStored, text);
}

function isStored(query) {
  const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
  return tabs[activeTabIndex].query === query;
}

/** Puts text at the cursor and takes away what stands behind it: brackets that the editor closed by itself. */
async function type(page, text) {
  await page.keyboard.insertText(text);
  await page.keyboard.press('Control+Shift+End');
  await page.keyboard.press('Delete');
}

/** Runs the operation at the cursor and returns the service's answer. */
async function run(page) {
  const answer = page.waitForResponse((response) => response.url() === `${origin}/graphql`);
  await page.keyboard.press('Control+Enter');
  return (await answer).json();
}
