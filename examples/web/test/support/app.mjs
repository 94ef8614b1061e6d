// What users do in the app.

import { newWindow } from './browser.mjs';
import { SERVICE } from './processes.mjs';

let users = 0;

export function newUser(name = 'Ada') {
  users += 1;
  return { name, email: `${name.toLowerCase()}-${process.pid}-${users}@example.com`, password: 'seven quiet lanterns' };
}

export async function signUp(device, user) {
  const page = await newWindow(device);
  await page.getByRole('button', { name: 'Create an account' }).click();
  await page.getByLabel('Name').fill(user.name);
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password').fill(user.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await isLive(page);
  return page;
}

export async function signIn(device, user) {
  const page = await newWindow(device);
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password').fill(user.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await isLive(page);
  return page;
}

/** Waits until a window is connected and everything is sent. */
export async function isLive(page) {
  await page.locator('.sync[data-status="live"][data-unsent="0"]').waitFor();
}

export async function createCourse(page, { name, description = '', color = 'Green', icon = '' }) {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Courses' }).click();
  await page.getByRole('button', { name: 'New course' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Description').fill(description);
  await dialog.getByRole('radio', { name: color }).check({ force: true });
  await dialog.getByLabel('Emoji').fill(icon);
  await dialog.getByRole('button', { name: 'Create course' }).click();
  await heading(page, name);
}

export async function openCourse(page, name) {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Courses' }).click();
  await page.getByRole('main').getByRole('link', { name, exact: true }).click();
  await heading(page, name);
}

/** Writes a note in the course that the window shows. */
export async function createNote(page, title, text) {
  await page.getByRole('button', { name: 'New note' }).click();
  await page.getByLabel('Title').fill(title);
  await page.getByLabel('Note', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Save note' }).click();
  await page.getByRole('button', { name: 'Edit note' }).waitFor();
}

export async function addTask(page, title, dueOn = '') {
  await page.getByLabel('New task', { exact: true }).fill(title);
  await page.getByLabel('Due date of the new task').fill(dueOn);
  await page.getByRole('button', { name: 'Add task' }).click();
  await task(page, title).waitFor();
}

export const task = (page, title) => page.locator(`.task[data-task="${title}"]`);

/** The titles of the open tasks, as shown. */
export const taskTitles = (page) => page.locator('.task-lists > .task-list .task-title, .task-group .task-title').allTextContents();

export const heading = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

export const go = async (page, name) => {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name }).click();
  await heading(page, name);
};

/** A local date, some days from today. */
export function dayFromToday(days) {
  const date = new Date(Date.now() + days * 86_400_000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}

/** Sends an operation as another client of the user. */
export async function api(user, query, variables = {}) {
  const post = async (token, body) => {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    return (await fetch(`${SERVICE}/graphql`, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  };
  const { email, password } = user;
  user.token ??= (
    await post(null, { query: 'mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }', variables: { input: { email, password } } })
  ).data.signIn.accessToken;
  const { data, errors } = await post(user.token, { query, variables });
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
