// Serves the built app. As every proxy should, it appends the address of the connection to X-Forwarded-For, which the app passes on to
// SnapNote. `next start` does not: it keeps a header that a browser made up, and hides the browser's address.

import { createServer } from 'node:http';
import nextEnv from '@next/env';
import next from 'next';

nextEnv.loadEnvConfig(import.meta.dirname);
const hostname = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 3000);

/** How long running requests may take when the server stops. */
const FINISH_MS = 10_000;

const app = next({ dev: false, dir: import.meta.dirname, hostname, port });
await app.prepare();
const handle = app.getRequestHandler();

const server = createServer((request, response) => {
  const hops = [request.headers['x-forwarded-for'], request.socket.remoteAddress ?? 'unknown'];
  request.headers['x-forwarded-for'] = hops.filter(Boolean).join(', ');
  void handle(request, response);
});
server.listen(port, hostname, () => console.log(`Listening on http://${hostname}:${port}`));
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), FINISH_MS).unref();
  });
}
