// The load and the table of benches/soak/run: node benches/soak/soak.mjs PID MINUTES
import { readFileSync, readdirSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import WebSocket from '../../tests/clients/node_modules/ws/wrapper.mjs';

const [pid, minutes] = process.argv.slice(2).map(Number);
const base = 'http://127.0.0.1:8094';
const metricsUrl = 'http://127.0.0.1:9474/metrics';
const password = 'a rather long passphrase';
const users = 4;
const end = Date.now() + minutes * 60_000;
const counts = {};
const unexpected = [];

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const below = (limit) => Math.floor(Math.random() * limit);
const oneOf = (values) => values[below(values.length)];
const count = (name) => { counts[name] = (counts[name] ?? 0) + 1; };

async function post(token, query, variables, init = {}) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = JSON.stringify({ query, variables });
  const response = await fetch(`${base}/graphql`, { method: 'POST', headers, body, ...init });
  return response.json();
}

/** The data of a request that must succeed. */
async function data(token, query, variables) {
  const response = await post(token, query, variables);
  if (response.errors) throw new Error(JSON.stringify(response));
  return response.data;
}

/** The payload of a mutation that must succeed. */
async function mutate(token, name, input, selection) {
  // Some mutations share the type of their input.
  const type = /^(trash|restore|delete)Items$/.test(name) ? 'ItemIdsInput' : `${name[0].toUpperCase()}${name.slice(1)}Input`;
  const query = `mutation($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { code field } } }`;
  const payload = (await data(token, query, { input }))[name];
  if (payload.userErrors.length > 0) throw new Error(JSON.stringify(payload));
  return payload;
}

const words = readFileSync('README.md', 'utf8').split(/\s+/);
const text = (length) => Array.from({ length }, () => oneOf(words)).join(' ');

class User {
  documents = [];
  tasks = [];

  static async create(number) {
    const user = new User();
    user.email = `user${number}@example.com`;
    const signUp = { email: user.email, password, name: user.email };
    Object.assign(user, await mutate(null, 'signUp', signUp, 'accessToken refreshToken'));
    user.course = (await mutate(user.accessToken, 'createCourse', { name: 'Algebra' }, 'course { id }')).course.id;
    return user;
  }

  mutate(name, input, selection) {
    return mutate(this.accessToken, name, input, selection);
  }

  /** Renews the access token before it expires, and signs another session in and out. */
  async sessions() {
    Object.assign(this, await mutate(null, 'refreshSession', { refreshToken: this.refreshToken }, 'accessToken refreshToken'));
    const other = await mutate(null, 'signIn', { email: this.email, password }, 'accessToken');
    await data(other.accessToken, 'mutation { signOut { userErrors { code } } }');
  }

  async write() {
    const title = text(4).slice(0, 100) || 'Page';
    if (this.documents.length < 40 || below(3) === 0) {
      const input = { courseId: this.course, title, originalText: text(300), formattedNote: text(300) };
      this.documents.push((await this.mutate('createDocument', input, 'document { id }')).document.id);
    }
    await this.mutate('updateDocument', { id: oneOf(this.documents), formattedNote: text(300) }, 'document { version }');
    const tasks = Array.from({ length: 3 }, () => ({ title, courseId: this.course }));
    const created = await this.mutate('createTasks', { tasks }, 'results { task { id } }');
    this.tasks.push(...created.results.map((result) => result.task.id));
    await this.mutate('trashItems', { ids: this.tasks.slice(-2) }, 'items { id }');
    await this.mutate('restoreItems', { ids: this.tasks.slice(-2) }, 'items { id }');
    // What is stored stays about the same.
    const old = [...this.documents.splice(0, this.documents.length - 50), ...this.tasks.splice(0, this.tasks.length - 100)];
    if (old.length > 0) {
      await this.mutate('trashItems', { ids: old }, 'items { id }');
      await this.mutate('deleteItems', { ids: old }, 'deletedIds');
    }
  }

  async read() {
    const lists = `{ courses(first: 5) { nodes { name documentCount documents(first: 20) { nodes { title excerpt tags { name } } } } }
      tasks(first: 50, orderBy: [{ field: DUE_AT }]) { totalCount nodes { title course { name } } } me { name } }`;
    await data(this.accessToken, lists);
  }

  async search() {
    const query = 'query($q: String!) { search(query: $q, first: 10) { edges { score highlights { field text } } } }';
    await data(this.accessToken, query, { q: `${oneOf(words)} ${oneOf(words)}`.replace(/[^\p{L} ]/gu, '') || 'note' });
  }

  /** Requests that fail: not valid, not found, not signed in, and left before the response. */
  async fail() {
    const left = new AbortController();
    const leave = post(this.accessToken, '{ documents(first: 100) { nodes { originalText } } }', {}, { signal: left.signal });
    setTimeout(() => left.abort(), below(5));
    const failed = await Promise.allSettled([
      post(this.accessToken, `{ courses(first: 5) { nodes { ${oneOf(words).replace(/\W/g, '')}x } }`),
      post(this.accessToken, '{ course(id: 7) { nothing } }'),
      post('nonsense', '{ me { id } }'),
      mutate(this.accessToken, 'updateTask', { id: crypto.randomUUID(), title: 'none' }, 'task { id }'),
      fetch(`${base}/nowhere/${below(1000)}`).then((response) => response.text()),
      leave,
    ]);
    for (const one of failed.slice(0, 3)) if (!one.value?.errors) throw new Error('a request succeeded');
  }

  async upload() {
    const bytes = png(400 + below(400));
    const documentId = oneOf(this.documents.slice(-20));
    const request = { documentId, contentType: 'image/png', byteSize: bytes.length };
    const { upload } = await this.mutate('requestImageUpload', request, 'upload { id url headers { name value } }');
    const headers = Object.fromEntries(upload.headers.map(({ name, value }) => [name, value]));
    const sent = await fetch(upload.url, { method: 'PUT', headers, body: bytes });
    if (sent.status !== 204) throw new Error(`upload: ${sent.status} ${await sent.text()}`);
    const selection = 'document { image { url thumbnail { url } } }';
    const { document } = await this.mutate('setDocumentImage', { documentId, uploadId: upload.id }, selection);
    await (await fetch(document.image.url)).arrayBuffer();
  }

  /** Subscribes over a WebSocket for some seconds. */
  socket() {
    return new Promise((done, failed) => {
      const socket = new WebSocket(`${base.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      const payload = { Authorization: `Bearer ${this.accessToken}` };
      socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
      socket.on('error', failed);
      socket.on('close', done);
      socket.on('message', (message) => {
        const { type } = JSON.parse(message);
        if (type === 'next') count('events by WebSocket');
        if (type !== 'connection_ack') return;
        const query = 'subscription { changes { itemId version item { id } } }';
        socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query } }));
        // Half of the clients vanish without a close frame.
        setTimeout(() => (below(2) ? socket.close(1000) : socket.terminate()), 500 + below(8000));
      });
    });
  }

  /** Subscribes over server-sent events for some seconds. */
  async events() {
    const left = new AbortController();
    setTimeout(() => left.abort(), 500 + below(8000));
    const headers = { 'Content-Type': 'application/json', Accept: 'text/event-stream', Authorization: `Bearer ${this.accessToken}` };
    const body = JSON.stringify({ query: 'subscription { changes { itemId version } }' });
    try {
      const response = await fetch(`${base}/graphql`, { method: 'POST', headers, body, signal: left.signal });
      for await (const _ of response.body) count('pieces by server-sent events');
    } catch (error) {
      if (error.name !== 'AbortError') throw error;
    }
  }
}

function png(size) {
  const chunk = (kind, bytes) => {
    const body = Buffer.concat([Buffer.from(kind), bytes]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(bytes.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  const rows = Buffer.from(Array.from({ length: size * (size + 1) }, (_, index) => (index % (size + 1) ? below(256) : 0)));
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Repeats an action until the end, with random pauses of this average. */
async function repeat(name, pause, action) {
  while (Date.now() < end) {
    await sleep(below(2 * pause));
    try {
      await action();
      count(name);
    } catch (error) {
      // On a busy machine, a request can pass its deadline.
      if (/"(TIMEOUT|UNAVAILABLE)"/.test(error.message)) count('requests that were too slow');
      else unexpected.push(`${new Date().toISOString()} ${name}: ${error.stack} ${error.cause ?? ''}`);
    }
  }
}

const status = (name) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`${name}:\\s+(\\d+)`))[1]);
const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

/** The resident memory in MiB since the last sample. Hashing passwords and images use some for a moment. */
const memory = [];
setInterval(() => memory.push(status('VmRSS') / 1024), 500).unref();

async function sample() {
  const metrics = await (await fetch(metricsUrl)).text();
  const sum = (name, label = '') => metrics.split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(label))
    .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  const single = (name) => Number(metrics.match(new RegExp(`^${name} (.*)$`, 'm'))?.[1] ?? 0);
  return {
    rss: median(memory.splice(0)),
    threads: status('Threads'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    used: sum('db_client_connection_count', '"used"'),
    idle: sum('db_client_connection_count', '"idle"'),
    sockets: single('snapnote_websockets'),
    subscriptions: single('snapnote_subscriptions'),
    statements: sum('db_client_operation_duration_seconds_count'),
    requests: sum('http_server_request_duration_seconds_count'),
    cpu: (Number(stat[11]) + Number(stat[12])) / 100,
  };
}

const columns = ['minute', 'median RSS MiB', 'threads', 'descriptors', 'connections used', 'idle', 'WebSockets', 'subscriptions',
  'statements', 'requests', 'CPU s'];

async function record(rows) {
  console.log(`| ${columns.join(' | ')} |\n|${' ---: |'.repeat(columns.length)}`);
  let before = await sample();
  for (let minute = 1; minute <= minutes; minute += 1) {
    await sleep(end - (minutes - minute) * 60_000 - Date.now());
    const now = await sample();
    rows.push(now);
    const cells = [minute, now.rss.toFixed(1), now.threads, now.descriptors, now.used, now.idle, now.sockets, now.subscriptions,
      now.statements - before.statements, now.requests - before.requests, (now.cpu - before.cpu).toFixed(1)];
    console.log(`| ${cells.join(' | ')} |`);
    before = now;
  }
}

const everyone = await Promise.all(Array.from({ length: users }, (_, number) => User.create(number)));
for (const user of everyone) await user.write();
const rows = [];
const work = everyone.flatMap((user) => [
  repeat('reads', 600, () => user.read()),
  repeat('searches', 1500, () => user.search()),
  repeat('rounds of writes', 2500, () => user.write()),
  repeat('rounds of failing requests', 4000, () => user.fail()),
  repeat('uploads', 8000, () => user.upload()),
  repeat('refreshed sessions, sign-ins and sign-outs', 15_000, () => user.sessions()),
  ...Array.from({ length: 3 }, () => repeat('WebSockets', 1000, () => user.socket())),
  ...Array.from({ length: 3 }, () => repeat('event streams', 1000, () => user.events())),
]);
await Promise.all([record(rows), ...work]);
console.log(Object.entries(counts).map(([name, number]) => `${number} ${name}`).join(', '));
const average = (from, to) => {
  const part = rows.slice(Math.floor(rows.length * from), Math.floor(rows.length * to));
  return part.reduce((total, row) => total + row.rss, 0) / part.length;
};
const [second, last] = [average(0.25, 0.5), average(0.75, 1)];
console.log(`resident memory: ${second.toFixed(1)} MiB in the second quarter, ${last.toFixed(1)} MiB in the last one`);
for (const one of unexpected.slice(0, 20)) console.log(one);
if (unexpected.length > 0) console.log(`${unexpected.length} requests failed unexpectedly`);
process.exit(last > 1.05 * second || unexpected.length > 0 ? 1 : 0);
