// What users see and do, with and without scripts.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { api, assertAccessible, assertNoProblems, cookiesOf, eventually, fillIn, heading, newDevice, newUser, open, signedUp, tokenOf, withoutScripts } from './support/browser.mjs';

const NOTE = `Read *this* first: $e^{i\\pi} + 1 = 0$

| a | b |
| - | - |
| 1 | 2 |

<script>document.title = 'planted'</script>

[Solutions](javascript:alert(1)) ![Board](https://pictures.example/1.png)
`;

async function createCourse(page, name) {
  await page.getByLabel('New course').fill(name);
  await page.getByRole('button', { name: 'Create course' }).click();
  await page.getByRole('main').getByRole('link', { name, exact: true }).click();
  await heading(page, name);
}

async function addTask(page, title, dueOn) {
  await page.getByLabel('New task').fill(title);
  if (dueOn) await page.getByLabel('Due').fill(dueOn);
  await page.getByRole('button', { name: 'Add task' }).click();
  await page.getByRole('checkbox', { name: title }).waitFor();
}

/** Creates a note in the course that the page shows, as another client. */
async function createNote(device, page, title, formattedNote) {
  const input = { courseId: page.url().split('/').at(-1), title, originalText: '', formattedNote };
  const { data } = await api(await tokenOf(device), 'mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } } }', { input });
  return data.createDocument.document.id;
}

it('shows courses, notes and tasks, which the server renders', async () => {
  const { device, page } = await signedUp();
  await page.getByText('There are no courses yet.').waitFor();
  await createCourse(page, 'Algebra');
  await addTask(page, 'Sheet 1', '2026-12-24');
  await createNote(device, page, 'Groups', NOTE);
  await page.reload();
  await page.getByText('Dec 24, 2026').waitFor();
  await page.getByRole('checkbox', { name: 'Sheet 1' }).click();
  await page.getByRole('checkbox', { name: 'Sheet 1', checked: true }).waitFor();

  const plain = await withoutScripts(device);
  const paper = await open(plain, '/courses');
  await paper.getByText('1 note, 0 open tasks').waitFor();
  await paper.getByRole('link', { name: 'Algebra' }).click();
  await paper.getByRole('checkbox', { name: 'Sheet 1', checked: true }).click();
  await paper.getByRole('checkbox', { name: 'Sheet 1', checked: false }).waitFor();
  await addTask(paper, 'Sheet 2');
  await paper.getByRole('link', { name: 'Groups' }).click();
  await heading(paper, 'Groups');
  assert.equal(await paper.locator('.note-text math msup').count(), 1);
  assert.equal(await paper.locator('.note-text em').textContent(), 'this');
  await paper.locator('.note-text').getByText('Solutions').waitFor();
  assert.equal(await paper.locator('.note-text script, .note-text img, .note-text [href^="javascript"]').count(), 0);
  assert.equal(await paper.title(), 'Groups – SnapNote');
  assertNoProblems(device);
  await Promise.all([device.close(), plain.close()]);
});

it('is accessible, and fits into 390 pixels', async () => {
  const { device, page } = await signedUp();
  await assertAccessible(page, 'no-courses');
  await createCourse(page, 'Linear algebra');
  await addTask(page, 'Read chapter 3 and solve all exercises at its end, also the ones with stars', '2026-12-24');
  await addTask(page, 'Register for the exam');
  await page.getByRole('checkbox', { name: 'Register' }).click();
  await page.getByRole('checkbox', { name: 'Register', checked: true }).waitFor();
  await page.getByRole('button', { name: 'Add task' }).click();
  await page.getByText('Fill in this field.').waitFor();
  const id = await createNote(device, page, 'Vector spaces', NOTE);
  await assertAccessible(page, 'course-with-error');
  await page.reload();
  await page.getByRole('link', { name: 'Vector spaces' }).waitFor();
  await assertAccessible(page, 'course');
  await page.goto(new URL(`/notes/${id}`, page.url()).href);
  await heading(page, 'Vector spaces');
  await assertAccessible(page, 'note');
  const stranger = await newDevice();
  const gate = await open(stranger, '/sign-up');
  await gate.getByRole('button', { name: 'Create account' }).waitFor();
  await assertAccessible(gate, 'sign-up');
  assertNoProblems(device);
  assertNoProblems(stranger);
  await Promise.all([device.close(), stranger.close()]);
});

it('shows errors at their fields, and keeps what the user entered', async () => {
  const taken = newUser();
  await api(null, 'mutation($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }', { input: taken });
  const device = await newDevice();
  const page = await open(device, '/sign-up');
  await fillIn(page, '/sign-up', { Name: 'Ada', Email: taken.email, Password: 'password1' });
  const password = page.getByLabel('Password');
  await eventually(async () => (await password.getAttribute('aria-invalid')) === 'true', 'the password is rejected');
  assert.equal(await password.evaluate((input) => input === document.activeElement), true);
  assert.equal(await page.getByLabel('Email').inputValue(), taken.email);
  await fillIn(page, '/sign-up', { Password: taken.password });
  await page.getByText('This is taken.').waitFor();

  await fillIn(page, '/sign-up', { Email: newUser().email });
  await heading(page, 'Courses of Ada');
  await page.getByLabel('New course').fill('x'.repeat(256));
  await page.getByRole('button', { name: 'Create course' }).click();
  await page.getByText('This is too long.').waitFor();
  assert.equal((await page.getByLabel('New course').inputValue()).length, 256);
  assertNoProblems(device, /422/);
  await device.close();
});

it('signs users in without scripts, and shows why it failed', async () => {
  const user = newUser();
  await api(null, 'mutation($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }', { input: user });
  const device = await newDevice({ javaScriptEnabled: false });
  const page = await open(device, '/courses');
  await fillIn(page, '/sign-in', { Email: user.email, Password: 'wrong' });
  await page.getByText('The email address or the password is wrong.').waitFor();
  await fillIn(page, '/sign-in', { Email: user.email, Password: user.password });
  await heading(page, 'Courses of Ada');
  assert.ok((await cookiesOf(device)).refresh);
  await device.close();
});

it('says that an item does not exist, without revealing those of other users', async () => {
  const [ada, bob] = [await signedUp(), await signedUp()];
  await createCourse(ada.page, 'Mine');
  await bob.page.goto(ada.page.url());
  await heading(bob.page, 'Not found');
  await Promise.all([ada.device.close(), bob.device.close()]);
});
