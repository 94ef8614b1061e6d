import assert from 'node:assert/strict';
import { test } from './support/test.mjs';
import { createCourse, createNote, heading, newUser, signUp } from './support/app.mjs';
import { assertNoProblems, newDevice } from './support/browser.mjs';

test('a note shows its Markdown and formulas', async () => {
  const device = await newDevice();
  const page = await signUp(device, newUser());
  await createCourse(page, { name: 'Algebra' });
  await createNote(page, 'Groups', '# Axioms\n\nA *group* has $a^{-1}$.\n\n$$\n\\int_0^1 x\\,dx = \\tfrac12\n$$\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n#### Inverse\n\n- [x] done');
  await page.locator('.formula .katex-display').waitFor();
  assert.equal(await page.locator('.note-text .katex').count(), 2);
  assert.equal(await page.locator('.note-text h2').textContent(), 'Axioms');
  assert.equal(await page.locator('.note-text h3').textContent(), 'Inverse', 'no level of headings is skipped');
  assert.equal(await page.locator('.note-text table td').count(), 2);
  assert.ok(await page.locator('.note-text input[type=checkbox]').isChecked());
  const font = await page.evaluate(() => document.fonts.ready.then(() => document.fonts.check('16px KaTeX_Main')));
  assert.ok(font, 'the fonts of formulas are loaded');
  assertNoProblems(device);
  await device.close();
});

const DANGEROUS = `
<script>window.harmed = 'script'</script>
<img src="x" onerror="window.harmed = 'image'">
<svg onload="window.harmed = 'svg'"></svg>
<iframe src="javascript:parent.harmed = 'frame'"></iframe>

[link](javascript:window.harmed='link') [data](data:text/html,<script>1</script>) [other](vbscript:x)
[encoded](java&#115;cript:alert(1)) <javascript:alert(1)>

![tracker](https://tracker.example/pixel.png)

$\\href{javascript:window.harmed='formula'}{click}$ $\\htmlStyle{position:fixed}{x}$ $\\includegraphics{https://tracker.example/x.png}$

<style>body { display: none }</style>
<form action="https://evil.example"><button>Send</button></form>

[safe](https://example.com) after
`;

test('scripts, styles, frames and dangerous links in a note do nothing', async () => {
  const device = await newDevice();
  const requests = [];
  device.on('request', (request) => requests.push(request.url()));
  const page = await signUp(device, newUser());
  await createCourse(page, { name: 'Algebra' });
  await createNote(page, 'Dangerous', DANGEROUS);
  await page.locator('.note-text .katex').first().waitFor();
  await page.getByRole('link', { name: 'safe' }).waitFor();
  const addresses = await page.locator('.note-text a').evaluateAll((links) => links.map((link) => link.getAttribute('href')).filter(Boolean));
  for (const address of addresses) assert.match(address, /^https:/);
  assert.equal(await page.locator('.note-text :is(script, style, iframe, img, svg[onload], form, object)').count(), 0);
  assert.equal(await page.locator('.note-text').locator('xpath=.//@*[starts-with(name(), "on")]').count(), 0);
  for (const link of await page.locator('.note-text a:not([href])').all()) await link.click({ force: true });
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  assert.equal(await page.getByRole('link', { name: 'safe' }).getAttribute('rel'), 'noopener noreferrer');
  assert.deepEqual(requests.filter((url) => /tracker|evil/.test(url)), []);
  assertNoProblems(device);
  await device.close();
});

test('what is typed into a note survives closing the window before it is saved', async () => {
  const device = await newDevice();
  const page = await signUp(device, newUser());
  await createCourse(page, { name: 'Algebra' });
  await createNote(page, 'Draft', 'One');
  await page.getByRole('button', { name: 'Edit note' }).click();
  await page.getByLabel('Note', { exact: true }).fill('One and two');
  await page.getByText('Not saved yet.').waitFor();
  const address = page.url();
  await page.close();
  const again = await device.newPage();
  await again.goto(address);
  await heading(again, 'Draft');
  assert.equal(await again.getByLabel('Note', { exact: true }).inputValue(), 'One and two');
  await again.keyboard.press('Control+s');
  await again.getByText('The note is saved.').waitFor();
  assert.equal(await again.locator('.note-text').textContent(), 'One and two');
  assertNoProblems(device);
  await device.close();
});
