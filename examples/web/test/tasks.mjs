import assert from 'node:assert/strict';
import { test } from './support/test.mjs';
import { addTask, api, createCourse, dayFromToday, go, isLive, newUser, signUp, task, taskTitles } from './support/app.mjs';
import { assertNoProblems, eventually, newDevice } from './support/browser.mjs';

const inOrder = async (user) => (await api(user, '{ tasks(orderBy: { field: POSITION }) { nodes { title } } }')).tasks.nodes.map(({ title }) => title);
const shows = (page, titles) => eventually(async () => String(await taskTitles(page)) === String(titles), `the order ${titles}`);

async function withTasks(titles) {
  const device = await newDevice();
  const user = newUser();
  const page = await signUp(device, user);
  await createCourse(page, { name: 'Algebra' });
  for (const title of titles) await addTask(page, title);
  await isLive(page);
  return { device, user, page };
}

test('tasks are grouped by their due dates', async () => {
  const { device, user, page } = await withTasks([]);
  await go(page, 'Tasks');
  await addTask(page, 'Late', dayFromToday(-2));
  await addTask(page, 'Now', dayFromToday(0));
  await addTask(page, 'Soon', dayFromToday(1));
  await addTask(page, 'Some day');
  for (const [group, title] of [['Overdue', 'Late'], ['Today', 'Now'], ['Next 7 days', 'Soon'], ['No due date', 'Some day']]) {
    await page.getByRole('region', { name: group }).getByRole('button', { name: title, exact: true }).waitFor();
  }
  await task(page, 'Soon').getByText('Tomorrow').waitFor();
  await page.getByRole('button', { name: 'Some day', exact: true }).click();
  await page.getByLabel('Due date', { exact: true }).fill(dayFromToday(0));
  await page.getByLabel('Time (optional)').fill('23:59');
  await page.getByRole('radio', { name: 'High' }).check();
  await page.getByLabel('Course', { exact: true }).selectOption('Algebra');
  await page.getByRole('button', { name: 'Save task' }).click();
  await page.getByRole('region', { name: 'Today' }).getByText('Today, 23:59').waitFor();
  await isLive(page);
  const { tasks } = await api(user, '{ tasks(filter: { titleContains: "Some" }) { nodes { dueAt dueOn priority course { name } } } }');
  const [saved] = tasks.nodes;
  assert.equal(saved.dueOn, null);
  assert.equal(new Date(saved.dueAt).getTime(), new Date(`${dayFromToday(0)}T23:59`).getTime());
  assert.deepEqual([saved.priority, saved.course.name], ['HIGH', 'Algebra']);
  assertNoProblems(device);
  await device.close();
});

test('a task is completed and reopened', async () => {
  const { device, user, page } = await withTasks(['One', 'Two']);
  await page.getByRole('checkbox', { name: 'Complete “One”' }).click();
  await page.getByText('“One” is completed.').waitFor();
  await shows(page, ['Two']);
  await page.getByText('Completed (1)').click();
  await isLive(page);
  assert.deepEqual((await api(user, '{ tasks(filter: { completed: true }) { nodes { title } } }')).tasks.nodes, [{ title: 'One' }]);
  await page.getByRole('checkbox', { name: 'Complete “One”' }).click();
  await shows(page, ['One', 'Two']);
  assertNoProblems(device);
  await device.close();
});

test('the keyboard moves a task, and each step is announced', async () => {
  const { device, user, page } = await withTasks(['One', 'Two', 'Three']);
  await page.getByRole('button', { name: 'Move “One”' }).focus();
  const announced = page.locator('[id^=DndLiveRegion]');
  await page.keyboard.press('Space');
  await announced.filter({ hasText: 'Lifted “One”, at 1 of 3.' }).waitFor({ state: 'attached' });
  await page.keyboard.press('ArrowDown');
  await announced.filter({ hasText: '“One” is at 2 of 3.' }).waitFor({ state: 'attached' });
  await page.keyboard.press('ArrowDown');
  await announced.filter({ hasText: '“One” is at 3 of 3.' }).waitFor({ state: 'attached' });
  await page.keyboard.press('Space');
  await shows(page, ['Two', 'Three', 'One']);
  await isLive(page);
  assert.deepEqual(await inOrder(user), ['Two', 'Three', 'One']);
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Escape');
  await shows(page, ['Two', 'Three', 'One']);
  assertNoProblems(device);
  await device.close();
});

test('a pointer drags a task', async () => {
  const { device, user, page } = await withTasks(['One', 'Two', 'Three']);
  const handle = await page.getByRole('button', { name: 'Move “Three”' }).boundingBox();
  const target = await task(page, 'One').boundingBox();
  await page.mouse.move(handle.x + handle.width / 2, handle.y + handle.height / 2);
  await page.mouse.down();
  await page.mouse.move(handle.x + 12, handle.y - 10, { steps: 4 });
  await page.mouse.move(handle.x + 12, target.y + 4, { steps: 8 });
  await page.mouse.up();
  await shows(page, ['Three', 'One', 'Two']);
  await isLive(page);
  assert.deepEqual(await inOrder(user), ['Three', 'One', 'Two']);
  await page.reload();
  await shows(page, ['Three', 'One', 'Two']);
  assertNoProblems(device);
  await device.close();
});

test('a move in a course keeps the order of the tasks of other courses', async () => {
  const { device, user, page } = await withTasks(['A1', 'A2']);
  await createCourse(page, { name: 'Biology' });
  await addTask(page, 'B1');
  await addTask(page, 'B2');
  await page.getByRole('button', { name: 'Move “B2”' }).focus();
  for (const key of ['Space', 'ArrowUp', 'Space']) {
    await page.keyboard.press(key);
    await page.waitForTimeout(250);
  }
  await shows(page, ['B2', 'B1']);
  await isLive(page);
  assert.deepEqual(await inOrder(user), ['A1', 'A2', 'B2', 'B1']);
  assertNoProblems(device);
  await device.close();
});
