import assert from 'node:assert/strict';
import { test } from './support/test.mjs';
import { addTask, api, createCourse, createNote, go, heading, isLive, newUser, openCourse, signUp } from './support/app.mjs';
import { assertNoProblems, newDevice } from './support/browser.mjs';

test('a course goes to the trash with its items, and returns with them', async () => {
  const device = await newDevice();
  const user = newUser();
  const page = await signUp(device, user);
  await createCourse(page, { name: 'Algebra' });
  await addTask(page, 'Sheet 1');
  await createNote(page, 'Groups', 'Text');
  await openCourse(page, 'Algebra');
  await page.getByRole('button', { name: 'Move course to trash' }).click();
  await heading(page, 'Courses');
  await go(page, 'Trash');
  await page.getByText('course, with 2 items').waitFor();
  assert.equal(await page.locator('.trash-row').count(), 1);
  await page.getByRole('button', { name: 'Restore “Algebra”' }).click();
  await page.getByText('The trash is empty.').waitFor();
  await openCourse(page, 'Algebra');
  await page.getByRole('link', { name: 'Groups' }).waitFor();
  assertNoProblems(device);
  await device.close();
});

test('moving to the trash can be undone, and deleting asks first', async () => {
  const device = await newDevice();
  const user = newUser();
  const page = await signUp(device, user);
  await createCourse(page, { name: 'Algebra' });
  await createNote(page, 'Groups', 'Text');
  await page.getByRole('button', { name: 'Move note to trash' }).click();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('link', { name: 'Groups' }).click();
  await heading(page, 'Groups');
  await page.getByRole('button', { name: 'Move note to trash' }).click();
  await go(page, 'Trash');
  await page.getByRole('button', { name: 'Empty trash' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Delete “Groups” permanently' }).click();
  await page.getByRole('button', { name: 'Delete permanently' }).click();
  await page.getByText('The trash is empty.').waitFor();
  await isLive(page);
  assert.deepEqual((await api(user, '{ documents(filter: { status: null }) { nodes { id } } }')).documents.nodes, []);
  assertNoProblems(device);
  await device.close();
});
