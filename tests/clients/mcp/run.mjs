// Calls the tools of a service with the client of the protocol's TypeScript SDK: `node run.mjs URL TOKEN`. Prints what it got as JSON.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [url, token] = process.argv.slice(2);

async function connect(authorization) {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return client;
}

const client = await connect(`Bearer ${token}`);
const { tools } = await client.listTools();
const call = (name, args) => client.callTool({ name, arguments: args });
const added = await call('add_task', { title: 'Call home' });
const found = await call('search_notes', { query: 'call home' });
const wrong = await call('read_note', { id: 'x', with: 1 });
const unknown = await call('no_tool', {}).catch((error) => error);
const unauthorized = await connect('Bearer x').catch((error) => error);
await client.close();
console.log(
  JSON.stringify({
    server: client.getServerVersion().name,
    tools: tools.map(({ name }) => name),
    added: added.structuredContent,
    found: found.structuredContent.search.edges[0].node.title,
    error: wrong.structuredContent.errors[0].code,
    unknown: unknown.code,
    unauthorized: unauthorized instanceof Error,
  }),
);
