import { test } from './support/test.mjs';
import { addTask, createCourse, go, isLive, newUser, openCourse, signIn, signUp, task } from './support/app.mjs';
import { assertNoProblems, newDevice, newWindow } from './support/browser.mjs';

test('windows of one browser and other devices show changes without a reload', async () => {
  const [device, other] = await Promise.all([newDevice(), newDevice()]);
  const user = newUser();
  const page = await signUp(device, user);
  await createCourse(page, { name: 'Algebra' });
  const sameBrowser = await newWindow(device);
  await openCourse(sameBrowser, 'Algebra');
  const elsewhere = await signIn(other, user);
  await go(elsewhere, 'Tasks');
  await addTask(page, 'From the first window');
  await task(sameBrowser, 'From the first window').waitFor();
  await task(elsewhere, 'From the first window').waitFor();
  await elsewhere.getByRole('checkbox', { name: 'Complete “From the first window”' }).click();
  await page.getByText('Completed (1)').waitFor();
  // The window that was connected closes, and the other one takes over.
  await page.close();
  await isLive(sameBrowser);
  await addTask(elsewhere, 'From another device');
  await go(sameBrowser, 'Tasks');
  await task(sameBrowser, 'From another device').waitFor();
  for (const context of [device, other]) assertNoProblems(context);
  await Promise.all([device.close(), other.close()]);
});
