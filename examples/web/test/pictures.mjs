import assert from 'node:assert/strict';
import { test } from './support/test.mjs';
import { api, createCourse, createNote, isLive, newUser, openCourse, signIn, signUp } from './support/app.mjs';
import { assertNoProblems, newDevice } from './support/browser.mjs';
import { boardPicture } from './support/picture.mjs';

test('a picture is uploaded, shown, opened, and removed', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  const page = await signUp(device, user);
  await createCourse(page, { name: 'Algebra' });
  await createNote(page, 'Board', 'Text');
  await page.getByText('A photo of the board or page goes here.').waitFor();
  const second = await signIn(other, user);
  await second.goto(page.url().replace('?edit', ''));
  await page.getByLabel('Picture file').setInputFiles({ name: 'board.png', mimeType: 'image/png', buffer: boardPicture(900, 600) });
  await page.getByText('The picture is added.').waitFor();
  for (const window of [page, second]) {
    const preview = window.getByRole('button', { name: 'Open the picture' }).getByRole('img', { includeHidden: true });
    await preview.waitFor();
    // On a busy machine, the service makes the thumbnail later, and the app shows the picture itself.
    const width = await preview.evaluate((image) => image.decode().then(() => image.naturalWidth));
    assert.ok([512, 900].includes(width), `the preview has ${width} pixels`);
  }
  await page.getByRole('button', { name: 'Open the picture' }).click();
  const full = page.getByRole('dialog').getByRole('img');
  assert.equal(await full.evaluate((image) => image.decode().then(() => image.naturalWidth)), 900);
  await page.keyboard.press('Escape');
  await openCourse(page, 'Algebra');
  const { documents } = await api(user, '{ documents { nodes { image { thumbnail { width } } } } }');
  if (documents.nodes[0].image.thumbnail) await page.locator('.note-card img').waitFor();
  await page.getByRole('link', { name: 'Board' }).click();
  await page.getByRole('button', { name: 'Remove picture' }).click();
  await page.getByText('A photo of the board or page goes here.').waitFor();
  await isLive(page);
  assert.deepEqual((await api(user, '{ documents { nodes { image { url } } } }')).documents.nodes, [{ image: null }]);
  await page.getByLabel('Picture file').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('text') });
  await page.getByText('Choose a JPEG, PNG, WebP or GIF picture.').waitFor();
  for (const context of [device, other]) assertNoProblems(context);
  await Promise.all([device.close(), other.close()]);
});
