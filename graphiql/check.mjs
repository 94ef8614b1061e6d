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
  const { email, token } = await signUp(page);
  await headersSignIn(page, email, token);
  await documentationOpens(page);
  await page.screenshot({ path: screenshotPath });
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
  return { email, token };
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

async function reloadKeepsTabsButNoToken(page, token) {
  await page.waitForFunction(() => localStorage.getItem('graphiql:tabState')?.includes('{ me { email } }'));
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert(!stored.includes(token), 'the token lies in the browser’s storage');
  await page.reload();
  await page.locator(QUERY, { hasText: 'me { email }' }).waitFor();
}

/** Replaces an editor's text. */
async function write(page, editor, text) {
  await page.locator(`${editor} .view-lines`).click();
  await page.keyboard.press('Control+A');
  await type(page, text);
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
