// Themes and narrow windows.

import assert from 'node:assert/strict';
import { QUERY, run, screenshot, write } from './page.mjs';

/** The page and its editors follow the system's theme, at once and both ways. */
export async function followsTheSystemTheme(page) {
  for (const scheme of ['dark', 'light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const element of ['.graphiql-container', `${QUERY} .view-lines`, '.result-window .view-lines']) {
      await page.waitForFunction(hasTheme, { element, isDark: scheme === 'dark' });
    }
    await screenshot(page, scheme);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Whether the text of an element is bright, as on a dark background. */
function hasTheme({ element, isDark }) {
  const found = document.querySelector(element);
  const text = found.matches('.view-lines') ? (found.querySelector('span span') ?? found) : found;
  const [red, green, blue] = getComputedStyle(text).color.match(/[\d.]+/g).map(Number);
  return red + green + blue > 380 === isDark;
}

/** At the width of a phone, every pane is inside the window, and an operation can be written and run. */
export async function fitsPhones(page) {
  await page.setViewportSize({ width: 390, height: 844 });
  await write(page, QUERY, '{ __typename }');
  assert.deepEqual(await run(page), { data: { __typename: 'Query' } });
  await allInside(page, ['.graphiql-sidebar', QUERY, '.result-window', '.account button', '.graphiql-execute-button']);
  await screenshot(page, 'phone');
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await allInside(page, ['.graphiql-plugin', QUERY, '.result-window']);
  await screenshot(page, 'phone-documentation');
  await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
  await page.getByRole('button', { name: 'Sign in' }).click();
  await allInside(page, ['.graphiql-dialog', '.graphiql-dialog input[name=password]']);
  await screenshot(page, 'phone-sign-in');
  await page.keyboard.press('Escape');
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function allInside(page, selectors) {
  const { width, height } = page.viewportSize();
  for (const selector of selectors) {
    const element = page.locator(selector).first();
    await element.scrollIntoViewIfNeeded();
    const box = await element.boundingBox();
    const isInside = box.x >= 0 && box.y >= 0 && box.x + box.width <= width + 1 && box.y + box.height <= height + 1;
    assert(isInside && box.width > 30 && box.height > 30, `${selector} is at ${JSON.stringify(box)}`);
  }
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert(overflow <= 0, `the page is ${overflow} px wider than the window`);
}
