// Every screen in light, dark, and at a width of 390 pixels: no violation that axe finds, and no horizontal scrolling. With SCREENSHOTS, a
// folder, it keeps a screenshot of each.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { test } from './support/test.mjs';
import { addTask, api, createCourse, createNote, dayFromToday, go, heading, isLive, newUser, openCourse, signUp } from './support/app.mjs';
import { assertNoProblems, newDevice, newWindow } from './support/browser.mjs';
import { boardPicture } from './support/picture.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { SCREENSHOTS } = process.env;

async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  return found.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html, failureSummary }) => `  ${html}\n  ${failureSummary}`).join('\n')}`);
}

async function settle(page) {
  await page.evaluate(async () => {
    await document.fonts.ready;
    await Promise.all(document.getAnimations().filter(({ effect }) => effect.getTiming().iterations !== Infinity).map(({ finished }) => finished.catch(() => {})));
  });
}

const LOOKS = [
  ['light', { colorScheme: 'light' }, { width: 1280, height: 860 }],
  ['dark', { colorScheme: 'dark' }, { width: 1280, height: 860 }],
  ['narrow', { colorScheme: 'light' }, { width: 390, height: 844 }],
  ['narrow-dark', { colorScheme: 'dark' }, { width: 390, height: 844 }],
];

/** Checks what a window shows in all looks. */
async function look(page, name) {
  for (const [kind, media, size] of LOOKS) {
    await page.emulateMedia(media);
    await page.setViewportSize(size);
    await settle(page);
    await page.evaluate(() => scrollTo(0, 0));
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}-${kind}.png` });
    assert.deepEqual(await violations(page), [], `${name}, ${kind}`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= size.width, `${name}, ${kind}: ${width} pixels wide`);
  }
  await page.setViewportSize(LOOKS[0][2]);
  await page.emulateMedia(LOOKS[0][1]);
}

const NOTE = `A number $\\lambda$ is an **eigenvalue** of $A$ if there is a vector $v \\neq 0$ with

$$
A v = \\lambda v.
$$

> The determinant of $A - \\lambda I$ vanishes.

## How to find them

1. Form the characteristic polynomial $p(\\lambda) = \\det(A - \\lambda I)$.
2. Find its roots.
3. Solve $(A - \\lambda I) v = 0$ for each root.

| Matrix | Eigenvalues |
| --- | --- |
| Identity | 1 |
| Rotation by $\\theta$ | $e^{\\pm i\\theta}$ |

- [x] The trace is their sum.
- [ ] The determinant is their product. See [Axler](https://linear.axler.net).

\`\`\`py
import numpy as np

np.linalg.eigvals(A)
\`\`\`
`;

test('the screens before the sign-in', async () => {
  const device = await newDevice();
  const page = await newWindow(device);
  await heading(page, 'Sign in');
  await look(page, 'sign-in');
  await page.getByRole('button', { name: 'Create an account' }).click();
  await look(page, 'sign-up');
  await page.goto(new URL('/forgot-password', page.url()).href);
  await heading(page, 'Reset your password');
  await look(page, 'forgot-password');
  await page.goto(new URL('/reset-password#token=used', page.url()).href);
  await heading(page, 'Choose a new password');
  await look(page, 'reset-password');
  await page.goto(new URL('/verify-email#token=used', page.url()).href);
  await page.getByText('Sign in to verify your email address.').waitFor();
  await look(page, 'verify-email-signed-out');
  assertNoProblems(device);
  await device.close();
});

async function fill(page) {
  await createCourse(page, { name: 'Linear Algebra', description: 'Prof. Noether, Tuesdays at 10:15 in the old lecture hall', color: 'Blue' });
  for (const [title, day] of [['Exercise sheet 4', 1], ['Read chapter 5', 4], ['Register for the exam', -1], ['Write the summary', 0]]) await addTask(page, title, dayFromToday(day));
  await addTask(page, 'Find a study group');
  await createNote(page, 'Vector spaces', 'A **vector space** over a field $K$ is a set with an addition and a scaling.');
  await openCourse(page, 'Linear Algebra');
  await createNote(page, 'Eigenvalues', NOTE);
  for (const tag of ['Exam', 'Proof']) {
    await page.getByLabel('New tag').fill(tag);
    await page.keyboard.press('Enter');
    await page.getByRole('checkbox', { name: tag }).waitFor();
  }
  await page.getByLabel('Picture file').setInputFiles({ name: 'board.png', mimeType: 'image/png', buffer: boardPicture(960, 660) });
  await page.getByRole('button', { name: 'Open the picture' }).waitFor();
  await page.getByRole('button', { name: 'Dismiss message' }).click();
}

test('the screens of courses and notes', async () => {
  const device = await newDevice();
  const page = await signUp(device, newUser());
  await look(page, 'no-courses');
  await fill(page);
  await page.locator('.formula .katex').waitFor();
  await look(page, 'note');
  await page.getByRole('button', { name: 'Open the picture' }).click();
  await look(page, 'picture');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Edit note' }).click();
  await page.locator('.formula .katex').waitFor();
  await look(page, 'editor');
  await page.getByRole('button', { name: 'Close' }).click();
  await openCourse(page, 'Linear Algebra');
  await page.getByRole('link', { name: 'Vector spaces' }).waitFor();
  await look(page, 'course');
  await page.getByRole('button', { name: 'Edit course' }).click();
  await look(page, 'course-dialog');
  await page.keyboard.press('Escape');
  await createCourse(page, { name: 'Organic Chemistry', description: 'Lab on Thursdays', color: 'Orange' });
  await look(page, 'empty-course');
  await createCourse(page, { name: 'History of Science', color: 'Violet' });
  await go(page, 'Courses');
  await look(page, 'courses');
  assertNoProblems(device);
  await device.close();
});

test('the screens of tasks, tags, search, trash and account', async () => {
  const device = await newDevice();
  const page = await signUp(device, newUser());
  await fill(page);
  await createCourse(page, { name: 'History of Science', color: 'Violet' });
  await go(page, 'Tasks');
  await page.getByRole('button', { name: 'Exercise sheet 4', exact: true }).click();
  await page.getByRole('dialog').getByRole('checkbox', { name: 'Exam' }).check();
  await look(page, 'task-dialog');
  await page.getByRole('button', { name: 'Save task' }).click();
  await page.getByRole('button', { name: 'Dismiss message' }).click();
  await look(page, 'tasks');
  await page.getByRole('radio', { name: 'My order' }).check();
  await look(page, 'tasks-manual');
  await go(page, 'Tags');
  await look(page, 'tags');
  await page.getByRole('main').getByRole('link', { name: /Exam/ }).click();
  await heading(page, 'Exam');
  await look(page, 'tag');
  await go(page, 'Search');
  await look(page, 'search-hints');
  await page.getByRole('searchbox').fill('eigenvlaue');
  await page.locator('.result mark').first().waitFor();
  await look(page, 'search');
  await openCourse(page, 'History of Science');
  await page.getByRole('button', { name: 'Move course to trash' }).click();
  await go(page, 'Trash');
  await look(page, 'trash');
  await page.getByRole('button', { name: 'Empty trash' }).click();
  await look(page, 'confirm');
  await page.keyboard.press('Escape');
  await go(page, 'Account');
  await page.getByRole('heading', { name: 'Devices' }).waitFor();
  await look(page, 'account');
  await page.goto(new URL('/verify-email#token=used', page.url()).href);
  await page.getByText('This link has expired, was used').waitFor();
  await look(page, 'verify-email');
  assertNoProblems(device);
  await device.close();
});

test('conflicts and rejections', async () => {
  const device = await newDevice();
  const user = newUser();
  const page = await signUp(device, user);
  await createCourse(page, { name: 'Algebra' });
  await createNote(page, 'Groups', 'A group has a neutral element.\n\nEvery element has an inverse.');
  await isLive(page);
  await page.getByRole('button', { name: 'Edit note' }).click();
  await page.getByLabel('Note', { exact: true }).fill('A group has one neutral element.\n\nEvery element has an inverse.');
  const { documents } = await api(user, '{ documents { nodes { id } } }');
  const update = 'mutation($id: ID!) { updateDocument(input: { id: $id, formattedNote: "A group has a neutral element.\\n\\nInverses are unique." }) { userErrors { code } } }';
  await api(user, update, { id: documents.nodes[0].id });
  await page.getByRole('heading', { name: 'Your version' }).waitFor();
  await look(page, 'conflict');
  await page.getByRole('button', { name: 'Keep my version' }).click();
  await page.getByRole('button', { name: 'Save note' }).click();
  await isLive(page);
  await device.setOffline(true);
  await page.getByLabel('New tag').fill('Exam');
  await page.keyboard.press('Enter');
  await api(user, 'mutation { createTag(input: { name: "exam" }) { userErrors { code } } }');
  await device.setOffline(false);
  await page.getByText('Another tag has this name.').waitFor();
  await look(page, 'rejection');
  await device.close();
});

test('the theme follows the system until the user chooses one', async () => {
  const device = await newDevice({ colorScheme: 'dark' });
  const page = await signUp(device, newUser());
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  await go(page, 'Account');
  await page.getByRole('radio', { name: 'Light', exact: true }).check();
  assert.notEqual(await background(), dark);
  await page.reload();
  await page.getByRole('radio', { name: 'Light', exact: true }).waitFor();
  assert.notEqual(await background(), dark);
  await page.getByRole('radio', { name: 'As the system' }).check();
  assert.equal(await background(), dark);
  await device.close();
});

test('the keyboard reaches everything, and the focus is visible', async () => {
  const device = await newDevice();
  const page = await signUp(device, newUser());
  await createCourse(page, { name: 'Algebra' });
  await page.reload();
  await heading(page, 'Algebra');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
  const reached = new Set();
  for (let press = 0; press < 30; press += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return { name: element.getAttribute('aria-label') ?? element.textContent, isVisible: outlineStyle !== 'none' && outlineWidth !== '0px', isBody: element === document.body };
    });
    if (focused.isBody) break;
    assert.ok(focused.isVisible, `the focus on “${focused.name}” is not visible`);
    reached.add(focused.name);
  }
  for (const name of ['Edit course', 'Move course to trash', 'New note', 'New task', 'Add task']) assert.ok(reached.has(name), `${name} was not reached: ${[...reached]}`);
  await device.close();
});

test('nothing moves if the user prefers reduced motion', async () => {
  const device = await newDevice({ reducedMotion: 'reduce' });
  const page = await newWindow(device);
  await heading(page, 'Sign in');
  const longest = await page.evaluate(() => Math.max(...[...document.querySelectorAll('*')].map((element) => parseFloat(getComputedStyle(element).transitionDuration))));
  assert.ok(longest < 0.01, `${longest} s`);
  await device.close();
});
