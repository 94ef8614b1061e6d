// A page in a headless Chromium, the editors on it, and another client of the same service.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const ACTION_TIMEOUT_MS = 15_000;

export const QUERY = '.graphiql-query-editor';
export const HEADERS = '.graphiql-editor-tool .graphiql-editor:not(.hidden)';

const [baseUrl, screenshots] = process.argv.slice(2);
if (!screenshots) {
  console.error('usage: node check/check.mjs <base URL> <folder for screenshots>');
  process.exit(2);
}
export const { origin } = new URL(baseUrl);

/** Opens a page. `problems` has everything that a user would find in the console, and `workers` the URLs of the started workers. */
export async function openPage() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
  });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(ACTION_TIMEOUT_MS);
  return { page, ...watch(page), close: () => browser.close() };
}

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

export function screenshot(page, name) {
  return page.screenshot({ path: `${screenshots}/${name}.png` });
}

/** Replaces the text of an editor. */
export async function write(page, editor, text) {
  await page.locator(`${editor} .monaco-editor`).first().click();
  await page.keyboard.press('Control+A');
  await type(page, text);
  // Waits until GraphiQL has parsed the new text. Before, it would run the new text with the old operation name.
  if (editor === QUERY) await page.waitForFunction(isStored, text.replace(/(password: )"[^"]*"/, '$1""'));
}

function isStored(query) {
  const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
  return tabs[activeTabIndex].query === query;
}

/** Inserts text at the cursor and deletes the brackets that the editor adds after it. */
export async function type(page, text) {
  await page.keyboard.insertText(text);
  await page.keyboard.press('Control+Shift+End');
  await page.keyboard.press('Delete');
}

/** Runs the operation at the cursor and returns the response. */
export async function run(page) {
  const response = page.waitForResponse((response) => response.url() === `${origin}/graphql`);
  await page.keyboard.press('Control+Enter');
  return (await response).json();
}

/** Waits until the response pane contains a text, and returns the response. */
export async function responseWith(page, text) {
  const response = await page.waitForFunction((text) => {
    const models = globalThis.__MONACO.editor.getModels();
    const response = models.find(({ uri }) => uri.path.endsWith('response.json')).getValue();
    return response.includes(text) && response;
  }, text);
  return JSON.parse(await response.jsonValue());
}

/** Sends an operation as another client. */
export async function send(token, query) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  assert(data, JSON.stringify(errors));
  return data;
}

/** Signs in as another client. Returns the tokens of the new session. */
export async function signIn({ email, password }) {
  const input = `{ email: "${email}", password: "${password}" }`;
  const { signIn } = await send(undefined, `mutation { signIn(input: ${input}) { accessToken accessTokenExpiresAt } }`);
  return signIn;
}

export async function createCourse(token) {
  const input = '{ name: "Algebra", color: "#4F6BED" }';
  const { createCourse } = await send(token, `mutation { createCourse(input: ${input}) { course { id } } }`);
  return createCourse.course.id;
}
