// Windows of a headless Chromium. Each one records everything that a user would find in its console.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { APP } from './processes.mjs';

const ACTION_TIMEOUT_MS = 60_000;
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let browser;

export async function openBrowser() {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  return browser;
}

/** A device: its windows share the stored state. */
export async function newDevice(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(ACTION_TIMEOUT_MS);
  context.problems = [];
  return context;
}

/** A window of a device. */
export async function newWindow(device, path = '/') {
  const page = await device.newPage();
  const note = (problem) => device.problems.push(problem);
  page.on('pageerror', (error) => note(`exception: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) note(`console: ${message.text()}`);
  });
  await page.goto(APP + path);
  return page;
}

/** Fails if something unexpected is in the consoles of a device. */
export function assertNoProblems(device, expected = /^$/) {
  assert.deepEqual(device.problems.filter((problem) => !expected.test(problem)), []);
}

/** Waits until a condition is true. */
export async function eventually(condition, message) {
  const end = Date.now() + ACTION_TIMEOUT_MS;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`Not within ${ACTION_TIMEOUT_MS / 1000} s: ${message}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
