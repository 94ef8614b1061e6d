// A headless Chromium, and what users do in it.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { APP, SERVICE } from './processes.mjs';

const TIMEOUT_MS = 60_000;
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let browser;
let users = 0;

export async function openBrowser() {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  return browser;
}

/** A device with cookies of its own. It records everything that a user would find in its consoles. */
export async function newDevice(options = {}) {
  const device = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  device.setDefaultTimeout(TIMEOUT_MS);
  device.problems = [];
  device.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) device.problems.push(message.text());
  });
  device.on('weberror', (error) => device.problems.push(error.error().message));
  return device;
}

/** A device with the same cookies, but without scripts. */
export const withoutScripts = async (device) => newDevice({ storageState: await device.storageState(), javaScriptEnabled: false });

export async function open(device, path) {
  const page = await device.newPage();
  await page.goto(path.startsWith('http') ? path : APP + path);
  return page;
}

/** Fails if something unexpected is in the consoles of a device. */
export const assertNoProblems = ({ problems }, expected = /^$/) => assert.deepEqual(problems.filter((problem) => !expected.test(problem)), []);

/** Waits until a condition is true. */
export async function eventually(condition, message) {
  const end = Date.now() + TIMEOUT_MS;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Not within ${TIMEOUT_MS / 1000} s: ${message}`);
    await sleep(50);
  }
}

export function newUser(name = 'Ada') {
  users += 1;
  return { name, email: `${name.toLowerCase()}-${process.pid}-${users}@example.com`, password: 'seven quiet lanterns' };
}

export const heading = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

export async function fillIn(page, path, fields) {
  if (new URL(page.url()).pathname !== path) await page.goto(APP + path);
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
  await page.getByRole('button', { name: path === '/sign-up' ? 'Create account' : 'Sign in' }).click();
}

/** A device whose user has just signed up, and its page. */
export async function signedUp(prepared) {
  const user = newUser();
  const device = prepared ?? (await newDevice());
  const page = await device.newPage();
  await fillIn(page, '/sign-up', { Name: user.name, Email: user.email, Password: user.password });
  await heading(page, 'Courses of Ada');
  return { user, device, page };
}

/** The cookies of the app, by the end of their names. */
export async function cookiesOf(device) {
  return Object.fromEntries((await device.cookies(APP)).map((cookie) => [cookie.name.split('-').at(-1), cookie]));
}

/** Waits until the browser has dropped the access token. */
export const expired = (device) => eventually(async () => !(await cookiesOf(device)).access, 'the access token expires');

/** Sends an operation as another client. */
export async function api(token, query, variables = {}) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  return (await fetch(`${SERVICE}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })).json();
}

/** A valid token of the device's user. The service accepts it for 45 seconds after its cookie is gone. */
export async function tokenOf(device) {
  if (!(await cookiesOf(device)).access) await (await open(device, '/courses')).close();
  return (await cookiesOf(device)).access.value;
}

/** Checks a page with axe at 390 pixels and on a desktop, in both themes. With SCREENSHOTS=<folder>, keeps screenshots. */
export async function assertAccessible(page, name) {
  for (const [width, colorScheme] of [[390, 'light'], [1280, 'dark'], [390, 'dark'], [1280, 'light']]) {
    await page.setViewportSize({ width, height: 860 });
    await page.emulateMedia({ colorScheme });
    const { violations, overflow } = await page.evaluate(`${AXE};axe.run().then(({ violations }) =>
      ({ violations, overflow: document.documentElement.scrollWidth - innerWidth }))`);
    assert.deepEqual(violations.map(({ id, nodes }) => [name, id, nodes[0].html]), []);
    assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`);
    if (!process.env.SCREENSHOTS) continue;
    mkdirSync(process.env.SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}-${width}-${colorScheme}.png`) });
  }
}
