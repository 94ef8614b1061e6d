// Editing operations: errors, completion, documentation, explorer and history.

import assert from 'node:assert/strict';
import { QUERY, origin, run, type, write } from './page.mjs';

export async function opensAtBothPaths(page) {
  for (const path of ['/graphql', '/graphiql']) {
    const response = await page.goto(origin + path);
    assert.match(await response.headerValue('content-security-policy'), /default-src 'none'/);
    await page.locator(`${QUERY} .view-line`).first().waitFor();
    assert.match(await page.title(), /SnapNote/);
  }
}

/** The editor marks only an unknown field, so the page's initial operations match the schema. */
export async function errorsAreMarked(page) {
  await page.locator(`${QUERY} .view-lines`).click();
  await page.keyboard.press('Control+End');
  await type(page, 'query Wrong { me { emial } }');
  await page.locator(`${QUERY} .squiggly-error`).first().waitFor();
  // Reads the markers from Monaco's global, because the editor renders only visible lines.
  const marked = await page.evaluate(() => globalThis.__MONACO.editor.getModelMarkers({ owner: 'graphql' }));
  assert.equal(marked.length, 1, JSON.stringify(marked));
  assert.match(marked[0].message, /emial/);
}

export async function fieldsAreCompleted(page) {
  await write(page, QUERY, '{ me { ema } }');
  for (let step = 0; step < ' } }'.length; step++) await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Control+Space');
  await page.locator('.suggest-widget .monaco-list-row', { hasText: 'emailVerified' }).waitFor();
  await page.keyboard.press('Escape');
}

export async function documentationOpens(page) {
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await page.getByRole('link', { name: 'Query', exact: true }).click();
  await page.getByRole('link', { name: 'courses', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
}

/** A click on a field of the explorer adds it to the operation. */
export async function explorerWritesOperations(page) {
  await write(page, QUERY, 'query Me { me { id } }');
  await page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
  await page.getByText('createdAt', { exact: true }).click();
  await page.locator(QUERY, { hasText: 'createdAt' }).waitFor();
  await page.getByRole('button', { name: 'Hide GraphiQL Explorer' }).click();
}

/** The history lists an operation, also after a reload, and a click brings it back. */
export async function historyBringsOperationsBack(page) {
  await write(page, QUERY, 'query Remembered { __typename }');
  await run(page);
  await write(page, QUERY, 'query Other { __typename }');
  await page.reload();
  await page.locator(QUERY, { hasText: 'Other' }).waitFor();
  await page.getByRole('button', { name: 'Show History' }).click();
  await page.locator('.graphiql-history-item', { hasText: 'Remembered' }).first().getByRole('button').first().click();
  await page.locator(QUERY, { hasText: 'Remembered' }).waitFor();
  await page.getByRole('button', { name: 'Hide History' }).click();
}
