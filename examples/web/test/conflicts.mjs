import assert from 'node:assert/strict';
import { test } from './support/test.mjs';
import { api, createCourse, createNote, heading, isLive, newUser, signIn, signUp } from './support/app.mjs';
import { assertNoProblems, eventually, newDevice } from './support/browser.mjs';

const OFFLINE = /ERR_INTERNET_DISCONNECTED|WebSocket connection/;

async function noteInTwoDevices(text) {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  const page = await signUp(device, user);
  await createCourse(page, { name: 'Algebra' });
  await createNote(page, 'Groups', text);
  await isLive(page);
  const second = await signIn(other, user);
  await second.goto(page.url().replace('?edit', ''));
  await heading(second, 'Groups');
  return { device, other, user, page, second };
}

async function edit(page, text) {
  await page.getByRole('button', { name: 'Edit note' }).click();
  await page.getByLabel('Note', { exact: true }).fill(text);
}

const save = (page) => page.getByRole('button', { name: 'Save note' }).click();
const noteText = async (user) => (await api(user, '{ documents { nodes { formattedNote } } }')).documents.nodes[0].formattedNote;

test('a note that two windows edit at the same time shows both versions', async () => {
  const { device, other, user, page, second } = await noteInTwoDevices('Line one\n\nLine two');
  await edit(page, 'Line one of mine\n\nLine two');
  await edit(second, 'Line one\n\nLine two of theirs');
  await save(second);
  await isLive(second);
  const panel = page.getByRole('alert', { name: 'This note has changed' });
  await panel.getByRole('heading', { name: 'Your version' }).waitFor();
  assert.ok(await page.getByRole('button', { name: 'Save note' }).isDisabled(), 'a conflict is decided before the note is saved');
  assert.match(await panel.getByRole('region', { name: 'Your version' }).locator('mark').first().textContent(), /Line one of mine/);
  assert.match(await panel.getByRole('region', { name: 'The other version' }).locator('mark').last().textContent(), /Line two of theirs/);
  await panel.getByRole('button', { name: 'Keep both' }).click();
  await save(page);
  await isLive(page);
  assert.equal(await noteText(user), 'Line one\n\nLine two of theirs\n\nLine one of mine\n\nLine two');
  await second.getByText('Line one of mine').waitFor();
  for (const context of [device, other]) assertNoProblems(context);
  await Promise.all([device.close(), other.close()]);
});

test('a change to another field does not disturb the editor', async () => {
  const { device, other, user, page } = await noteInTwoDevices('Text');
  await edit(page, 'Text of mine');
  const { documents } = await api(user, '{ documents { nodes { id } } }');
  await api(user, 'mutation($id: ID!) { updateDocument(input: { id: $id, title: "Renamed" }) { userErrors { code } } }', { id: documents.nodes[0].id });
  await heading(page, 'Renamed');
  assert.equal(await page.getByLabel('Title').inputValue(), 'Renamed');
  assert.equal(await page.getByLabel('Note', { exact: true }).inputValue(), 'Text of mine');
  await save(page);
  await isLive(page);
  assert.equal(await noteText(user), 'Text of mine');
  assertNoProblems(device);
  await Promise.all([device.close(), other.close()]);
});

for (const [choice, expected] of [['Keep my version', 'Written offline'], ['Keep the other version', 'Written elsewhere']]) {
  test(`a note that was edited offline and elsewhere: ${choice.toLowerCase()}`, async () => {
    const { device, other, user, page, second } = await noteInTwoDevices('Before');
    await device.setOffline(true);
    await edit(page, 'Written offline');
    await save(page);
    await edit(second, 'Written elsewhere');
    await save(second);
    await isLive(second);
    await device.setOffline(false);
    await page.getByText('was changed here and on another device').waitFor();
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('dialog').getByText('Written elsewhere').waitFor();
    await page.getByRole('button', { name: choice }).click();
    await isLive(page);
    await eventually(async () => (await noteText(user)) === expected, `the note is "${expected}"`);
    await page.getByText(expected).first().waitFor();
    assert.equal(await page.getByText('was changed here and on another device').count(), 0);
    assertNoProblems(device, OFFLINE);
    await Promise.all([device.close(), other.close()]);
  });
}

test('a rejected change is shown until it is dismissed', async () => {
  const device = await newDevice();
  const user = newUser();
  const page = await signUp(device, user);
  await device.setOffline(true);
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Tags' }).click();
  await page.getByRole('button', { name: 'New tag' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Exam');
  await page.getByRole('button', { name: 'Create tag' }).click();
  await api(user, 'mutation { createTag(input: { name: "exam" }) { userErrors { code } } }');
  await device.setOffline(false);
  await page.getByText('Another tag has this name.').waitFor();
  await page.reload();
  await page.getByText('Another tag has this name.').waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await page.getByText('Another tag has this name.').waitFor({ state: 'detached' });
  assertNoProblems(device, OFFLINE);
  await device.close();
});
