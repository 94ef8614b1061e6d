// A service behind a proxy, as clients see it: a query, an event stream, a WebSocket, an upload of 3 MiB, and the client's address.
// Ends with an error if something is missing. Arguments: URL.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';

const base = process.argv[2];
const url = `${base}/graphql`;
let authorization = {};

async function ask(query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  for (const payload of Object.values(data)) assert.deepEqual(payload.userErrors ?? [], []);
  return data;
}

const { signUp } = await ask(`mutation {
  signUp(input: { email: "ada@example.com", password: "correct horse battery", name: "Ada" }) { accessToken userErrors { code } } }`);
authorization = { Authorization: `Bearer ${signUp.accessToken}` };
const { me } = await ask('{ me { sessions { ipAddress } } }');
assert.deepEqual(me.sessions.map(({ ipAddress }) => ipAddress), ['127.0.0.1']);

// Both transports deliver a change while the connection stays open, so nothing on the way collects events.
const { changesCursor } = await ask('{ changesCursor }');
const query = 'subscription($after: String) { changes(after: $after) { itemId } }';
const sse = createSseClient({ url, headers: authorization });
const ws = createWsClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: authorization });
const first = (client) => new Promise((resolve, reject) => {
  const next = ({ data }) => resolve(data.changes.itemId);
  client.subscribe({ query, variables: { after: changesCursor } }, { next, error: reject, complete: reject });
});
const events = [first(sse), first(ws)];
const { createTask } = await ask('mutation { createTask(input: { title: "Read" }) { task { id } userErrors { code } } }');
for (const event of events) assert.equal(await event, createTask.task.id);
sse.dispose();
await ws.dispose();

// A PNG whose pixels cannot be compressed: 1,024 × 1,024 in RGB.
const chunk = (kind, data) => {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
};
const header = Buffer.from([0, 0, 4, 0, 0, 0, 4, 0, 8, 2, 0, 0, 0]);
const row = () => Buffer.concat([Buffer.from([0]), randomBytes(3 * 1024)]);
const pixels = deflateSync(Buffer.concat(Array.from({ length: 1024 }, row)));
const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
const { createCourse } = await ask('mutation { createCourse(input: { name: "Algebra" }) { course { id } userErrors { code } } }');
const { createDocument } = await ask(
  `mutation($course: ID!) { createDocument(input: { courseId: $course, title: "Groups", originalText: "", formattedNote: "" }) {
    document { id } userErrors { code } } }`,
  { course: createCourse.course.id },
);
const { requestImageUpload } = await ask(
  `mutation($input: RequestImageUploadInput!) { requestImageUpload(input: $input) {
    upload { id url headers { name value } } userErrors { code } } }`,
  { input: { documentId: createDocument.document.id, contentType: 'image/png', byteSize: png.length } },
);
const { upload } = requestImageUpload;
assert.ok(upload.url.startsWith(`${base}/uploads/`), upload.url);
const headers = Object.fromEntries(upload.headers.map(({ name, value }) => [name, value]));
const uploaded = await fetch(upload.url, { method: 'PUT', headers, body: png });
assert.ok(uploaded.ok, `the upload is ${uploaded.status}`);
const { setDocumentImage } = await ask(
  `mutation($input: SetDocumentImageInput!) { setDocumentImage(input: $input) {
    document { image { url byteSize thumbnail { url } } } userErrors { code } } }`,
  { input: { documentId: createDocument.document.id, uploadId: upload.id } },
);
const { image } = setDocumentImage.document;
const downloaded = Buffer.from(await (await fetch(image.url)).arrayBuffer());
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
assert.equal(downloaded.length, image.byteSize);
assert.equal(hash(downloaded), hash(png));
assert.ok((await fetch(image.thumbnail.url)).ok);

for (const path of ['/readyz', '/healthz']) assert.equal((await fetch(base + path)).status, 404);
