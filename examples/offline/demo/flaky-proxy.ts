// A TCP proxy in front of the service that simulates unreliable networks.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * - `open`: everything passes.
 * - `offline`: no connection succeeds.
 * - `lossy`: a mutation arrives, and the connection breaks when its response comes. Every second token refresh passes, because
 *   otherwise the client could not send anything.
 * - `frozen`: requests arrive, but no response ever comes back.
 */
export type Mode = 'open' | 'offline' | 'lossy' | 'frozen';

export class FlakyProxy {
  /** How many responses of mutations were lost. */
  lostResponses = 0;
  private mode: Mode = 'open';
  private next: Mode | undefined;
  private refreshes = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server, readonly url: string) {}

  static async start(service: string): Promise<FlakyProxy> {
    const { hostname, port, pathname } = new URL(service);
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const proxy = new FlakyProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`);
    server.on('connection', (client) => proxy.forward(client, connect(Number(port), hostname)));
    return proxy;
  }

  /** Sets the mode. `next` replaces it after the first lost response, which is not one of a token refresh. */
  setMode(mode: Mode, next?: Mode): void {
    this.mode = mode;
    this.next = next;
    // Frozen connections stay open, so that clients notice them only by a timeout.
    if (mode === 'offline') for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.setMode('offline');
    this.server.close();
  }

  private forward(client: Socket, service: Socket): void {
    const end = () => [client, service].forEach((socket) => socket.destroy());
    if (this.mode === 'offline') return end();
    for (const socket of [client, service]) {
      this.sockets.add(socket);
      socket.on('error', end).on('close', () => {
        this.sockets.delete(socket);
        if (this.mode !== 'frozen') end();
      });
    }
    let mutation = false;
    client.on('data', (data) => {
      const passes = data.includes('refreshSession') && (this.next !== undefined || this.refreshes++ % 2 === 1);
      mutation ||= data.includes('"query":"mutation') && !passes;
      service.write(data);
    });
    let frozen = false;
    service.on('data', (data) => {
      frozen ||= this.mode === 'frozen';
      const lossy = mutation && this.mode === 'lossy';
      if (!frozen && !lossy) client.write(data);
      if (mutation && (frozen || lossy)) this.lostResponses += 1;
      mutation = false;
      if (lossy) end();
      if (lossy && this.next) this.setMode(this.next);
    });
  }
}
