// Requests of other sites, and addresses that browsers make up.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { api, cookiesOf, fillIn, heading, newDevice, newUser, open, signedUp, tokenOf, withoutScripts } from './support/browser.mjs';
import { APP } from './support/processes.mjs';
import { startAttacker, startBrowserProxy } from './support/relay.mjs';

/** The form of a server action, as an attacker would copy it from a page without scripts. */
async function copyActionForm(device) {
  const plain = await withoutScripts(device);
  const page = await open(plain, '/courses');
  const fields = await page.locator('form.new-item input').evaluateAll((inputs) => inputs.map(({ name, value }) => [name, value]));
  await plain.close();
  return fields.map(([name, value]) => [name, name === 'name' ? 'Planted' : value]);
}

function form(action, fields) {
  const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  const inputs = fields.map(([name, value]) => `<input name="${escape(name)}" value="${escape(value)}">`);
  return `<form method="post" enctype="multipart/form-data" action="${action}">${inputs.join('')}<button>Win</button></form>`;
}

it('rejects requests of other sites and other origins', async (t) => {
  const { user, device, page } = await signedUp();
  const attacker = await startAttacker();
  t.after(() => attacker.close());
  const actionFields = await copyActionForm(device);
  assert.ok(actionFields.length > 1);
  const attacks = [
    ['/session/sign-out', []],
    ['/session/sign-in', [['email', user.email], ['password', user.password]]],
    ['/courses', actionFields],
  ];
  for (const origin of attacker.origins) {
    for (const [path, fields] of attacks) {
      attacker.show(form(APP + path, fields));
      await page.goto(origin);
      const response = page.waitForResponse(APP + path);
      await page.getByRole('button', { name: 'Win' }).click();
      assert.equal((await response).status(), 403, `${origin} ${path}`);
      assert.ok((await cookiesOf(device)).refresh, `${origin} ${path}`);
    }
  }
  await page.goto(`${APP}/courses`);
  await heading(page, 'Courses of Ada');
  assert.equal(await page.getByText('Planted').count(), 0);
  await device.close();
});

it('accepts a form only from its own origin, and returns to no other site', async () => {
  const signUp = (headers, next = '/') => {
    const body = new URLSearchParams({ ...newUser(), next });
    return fetch(`${APP}/session/sign-up`, { method: 'POST', headers, body, redirect: 'manual' });
  };
  for (const headers of [{}, { origin: 'null' }, { origin: 'https://evil.example' }, { origin: APP, 'sec-fetch-site': 'same-site' }]) {
    assert.equal((await signUp(headers)).status, 403, JSON.stringify(headers));
  }
  for (const next of ['https://evil.example', '//evil.example', '/\\evil.example', '/\t/evil.example', '/.//evil.example', '/a/..//evil.example', 'http://app.invalid//evil.example']) {
    const response = await signUp({ origin: APP }, next);
    assert.deepEqual([response.status, response.headers.get('location')], [303, '/courses'], next);
  }
  assert.equal((await signUp({ origin: APP }, '/notes/1')).headers.get('location'), '/notes/1');
});

it('lets the service count the address of the browser', async (t) => {
  const proxies = await Promise.all(['127.0.0.2', '127.0.0.3'].map(startBrowserProxy));
  t.after(() => proxies.forEach(({ close }) => close()));
  const [first, second] = await Promise.all(proxies.map(({ server }) => newDevice({ proxy: { server } })));
  const wrong = async (page) => {
    await page.goto(`${APP}/sign-in`);
    await fillIn(page, '/sign-in', { Email: newUser().email, Password: 'wrong' });
    await page.getByRole('alert').filter({ hasText: '.' }).first().waitFor();
    return page.getByRole('alert').filter({ hasText: '.' }).first().textContent();
  };
  const page = await open(first, '/sign-in');
  for (let attempt = 0; attempt < 5; attempt += 1) assert.match(await wrong(page), /is wrong/);
  assert.match(await wrong(page), /^Too many attempts\. Try again in \d+ (minutes|seconds)\.$/);
  await first.setExtraHTTPHeaders({ 'x-forwarded-for': '203.0.113.7' });
  assert.match(await wrong(page), /^Too many attempts/);
  assert.match(await wrong(await open(second, '/sign-in')), /is wrong/);

  const user = newUser();
  await second.setExtraHTTPHeaders({ 'x-forwarded-for': '203.0.113.7' });
  const gate = await open(second, '/sign-up');
  await fillIn(gate, '/sign-up', { Name: 'Ada', Email: user.email, Password: user.password });
  await heading(gate, 'Courses of Ada');
  const { data } = await api(await tokenOf(second), '{ me { sessions { ipAddress userAgent } } }');
  assert.equal(data.me.sessions[0].ipAddress, '127.0.0.3');
  assert.match(data.me.sessions[0].userAgent, /Chrome/);
  await Promise.all([first.close(), second.close()]);
});
