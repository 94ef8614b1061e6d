// End-to-end check of the GraphiQL page of a running service, in a headless Chromium:
//
//   node check/check.mjs http://localhost:8080 screenshots/
//
// It uses the page like a user and fails on the first error: in the console, a violation of the Content-Security-Policy, a request to
// another origin, or a missing editor worker. It creates one user. CHROMIUM is the browser's binary (default /usr/bin/chromium).

import assert from 'node:assert/strict';
import * as account from './account.mjs';
import * as appearance from './appearance.mjs';
import * as editing from './editing.mjs';
import { openPage, origin, screenshot } from './page.mjs';
import * as subscriptions from './subscriptions.mjs';

const { page, problems, workers, close } = await openPage();
try {
  await editing.opensAtBothPaths(page);
  await editing.errorsAreMarked(page);
  await editing.fieldsAreCompleted(page);
  const user = await account.signUp(page);
  await account.headersSignIn(page, user);
  await account.buttonSignsIn(page, user);
  await editing.documentationOpens(page);
  await editing.explorerWritesOperations(page);
  await subscriptions.eventsAreListed(page, user);
  await subscriptions.subscriptionsEndWithTheirTab(page);
  await subscriptions.subscriptionsShowTheirErrors(page, user);
  await account.signsOut(page, user);
  await editing.historyBringsOperationsBack(page);
  await account.nothingSecretIsStored(page, user);
  await appearance.followsTheSystemTheme(page);
  await appearance.fitsPhones(page);

  for (const kind of ['editor', 'graphql', 'json']) {
    assert(workers.some((url) => url.includes(`/${kind}.worker-`)), `the ${kind} worker did not start`);
  }
  assert.deepEqual(problems.filter(isUnexpected), []);
  console.log(`GraphiQL works at ${origin}.`);
} catch (error) {
  await screenshot(page, 'failed');
  console.error(`GraphiQL does not work at ${origin}; see failed.png.`, problems);
  throw error;
} finally {
  await close();
}

/** Requests with an expired token, and without one after signing out, are rejected. The browser reports both. */
function isUnexpected(problem) {
  return !/\b401\b/.test(problem);
}
