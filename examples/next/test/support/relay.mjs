// Relays: one between the app and the service, which records what the app sends, and those of browsers with an address of their own.

import { createServer, request as send } from 'node:http';
import { text } from 'node:stream/consumers';

/** Passes the app's requests on to the service. While it is closed, the service cannot be reached. */
export class Relay {
  /** The operations that the app sent: their names, variables and access tokens. */
  operations = [];
  #server;

  constructor(servicePort, port) {
    this.port = port;
    this.#server = createServer(async (request, response) => {
      const body = await text(request);
      const { query, variables } = JSON.parse(body);
      const token = request.headers.authorization?.slice('Bearer '.length);
      this.operations.push({ name: /\w+ (\w+)/.exec(query)[1], variables, token });
      const passed = send({ port: servicePort, host: '127.0.0.1', path: request.url, method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      passed.end(body);
    });
  }

  async open() {
    if (!this.#server.listening) await new Promise((done) => this.#server.listen(this.port, '127.0.0.1', done));
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** How often the app exchanged a refresh token. */
  exchanges(refreshToken) {
    return this.operations.filter(({ name, variables }) => name === 'RefreshSession' && variables.refreshToken === refreshToken).length;
  }
}

/** An HTTP proxy whose connections come from another address of this machine (Linux: all of 127.0.0.0/8). */
export async function startBrowserProxy(localAddress) {
  const server = createServer((request, response) => {
    const { hostname, port, pathname, search } = new URL(request.url);
    const options = { hostname, port, path: pathname + search, method: request.method, headers: request.headers, localAddress };
    const passed = send(options, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    passed.once('error', () => response.destroy());
    request.pipe(passed);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { server: `http://127.0.0.1:${server.address().port}`, close };
}

/** A site of an attacker: a page with a form that the test submits. */
export async function startAttacker() {
  let page = '';
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise((done) => server.listen(0, done));
  const { port } = server.address();
  return {
    show: (html) => (page = `<!doctype html><title>Attack</title><link rel="icon" href="data:,">${html}`),
    /** Another site than the app (`localhost`), and another origin of the same site (`127.0.0.1`). */
    origins: [`http://localhost:${port}`, `http://127.0.0.1:${port}`],
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
