// End-to-end check of the documentation at /docs of a running service, in a headless Chromium:
//
//   node check/docs.mjs http://localhost:8080 screenshots/
//
// It reads and searches the pages like a user. As check.mjs, it fails on errors in the console, violations of the
// Content-Security-Policy and requests to other origins.

import assert from 'node:assert/strict';
import { openPage, origin, screenshot } from './page.mjs';

const { page, problems, close } = await openPage();
try {
  await opensAtTheFirstPage();
  await searchOpensResults();
  await graphqlIsHighlighted();
  await themesCanBeChosen();
  await pagesFitPhones();
  assert.deepEqual(problems, []);
  await unknownPagesLinkToOthers();
  await pagesCanBeReadWithoutScripts();
  console.log(`The documentation works at ${origin}.`);
} catch (error) {
  await screenshot(page, 'docs-failed');
  console.error(`The documentation does not work at ${origin}; see docs-failed.png.`, problems);
  throw error;
} finally {
  await close();
}

async function opensAtTheFirstPage() {
  await page.goto(`${origin}/docs`);
  assert.equal(page.url(), `${origin}/docs/`);
  await page.getByRole('heading', { level: 1, name: 'SnapNote' }).last().waitFor();
  await page.locator('#mdbook-sidebar').getByRole('link', { name: 'Authentication' }).click();
  await page.waitForURL(`${origin}/docs/auth.html`);
  await schemaLinkIsVisible();
  await screenshot(page, 'docs');
}

async function schemaLinkIsVisible() {
  const link = page.locator('nav.service').getByRole('link', { name: 'Schema' });
  await link.click({ trial: true }); // Fails if something covers the link.
  assert((await link.boundingBox()).y >= 0, 'the link to the schema is above the window');
}

async function searchOpensResults() {
  await page.keyboard.press('s');
  await page.locator('#mdbook-searchbar-outer:not(.searching)').waitFor(); // The index is loaded.
  await page.getByRole('searchbox').pressSequentially('refresh token');
  const results = page.locator('#mdbook-searchresults a');
  await results.first().waitFor();
  assert((await results.count()) > 2);
  await screenshot(page, 'docs-search');
  await results.first().click();
  await page.locator('main mark', { hasText: /refresh/i }).first().waitFor();
  // Closing the search sets a style of an element.
  await page.keyboard.press('s');
  await page.getByRole('searchbox').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox').waitFor({ state: 'hidden' });
}

async function graphqlIsHighlighted() {
  for (const url of await pageUrls()) {
    await page.goto(url);
    if ((await page.locator('code.graphql').count()) === 0) continue;
    await page.locator('code.graphql .hljs-keyword').first().waitFor();
    return;
  }
  assert.fail('no page has GraphQL');
}

/** Dark if the system is dark, and the theme that the user chooses, on the next page, too. */
async function themesCanBeChosen() {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(`${origin}/docs/operations.html`);
  assert(await isDark());
  await screenshot(page, 'docs-dark');
  await page.getByRole('button', { name: 'Change theme' }).click();
  await page.getByRole('menuitem', { name: 'Light' }).click();
  assert(!(await isDark()));
  await page.goto(`${origin}/docs/errors.html`);
  assert(!(await isDark()));
  await page.evaluate(() => localStorage.clear());
  await page.emulateMedia({ colorScheme: 'light' });
}

function isDark() {
  return page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number);
    return red + green + blue < 380;
  });
}

async function pagesFitPhones() {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const url of await pageUrls()) {
    await page.goto(url);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert(overflow <= 0, `${url} is ${overflow} px wider than a phone`);
  }
  await page.goto(`${origin}/docs/errors.html`);
  await schemaLinkIsVisible();
  await screenshot(page, 'docs-phone');
  await page.getByTitle('Toggle Table of Contents').click();
  await page.locator('#mdbook-sidebar').getByRole('link', { name: 'Operations' }).waitFor();
  await screenshot(page, 'docs-phone-contents');
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function pageUrls() {
  const links = page.locator('#mdbook-sidebar .chapter a[href$=".html"]');
  const urls = await links.evaluateAll((links) => links.map(({ href }) => href));
  assert(urls.length > 15, `${urls.length} pages`);
  return urls;
}

/** The page of a path that does not exist has the list of contents, whatever folder the path is in. */
async function unknownPagesLinkToOthers() {
  const response = await page.goto(`${origin}/docs/some/page.html`);
  assert.equal(response.status(), 404);
  await page.locator('#mdbook-sidebar').getByRole('link', { name: 'Search' }).click();
  await page.waitForURL(`${origin}/docs/search.html`);
  assert.deepEqual(problems.filter((problem) => !/\b404\b/.test(problem)), []);
}

async function pagesCanBeReadWithoutScripts() {
  const context = await page.context().browser().newContext({ javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(`${origin}/docs/auth.html`);
  const contents = plain.frameLocator('iframe');
  await contents.getByRole('link', { name: 'Errors' }).waitFor();
  await plain.screenshot({ path: `${process.argv[3]}/docs-plain.png` });
  await context.close();
}
