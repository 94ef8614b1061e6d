// A line to the service that can break in all the ways that lines do.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * `open`: all passes. `cut`: nobody gets through. `deaf`: a mutation arrives, and the line breaks when its answer comes (of
 * those for new tokens every other one, or nobody would come to send anything).
 * `frozen`: what is sent arrives, and nothing comes back, for ever.
 */
export type Mode = 'open' | 'cut' | 'deaf' | 'frozen';

export class Line {
  /** Mutations whose answers were lost. */
  lost = 0;
  private mode: Mode = 'open';
  private next: Mode | undefined;
  private renewals = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server, readonly url: string) {}

  static async to(service: string): Promise<Line> {
    const { hostname, port, pathname } = new URL(service);
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const line = new Line(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`);
    server.on('connection', (near) => line.join(near, connect(Number(port), hostname)));
    return line;
  }

  /** `next`: what it becomes when an answer has been lost. */
  is(mode: Mode, next?: Mode): void {
    this.mode = mode;
    this.next = next;
    // What is frozen stays so: only who gives up notices.
    if (mode === 'cut') for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.is('cut');
    this.server.close();
  }

  private join(near: Socket, far: Socket): void {
    const end = () => [near, far].forEach((socket) => socket.destroy());
    const born = this.mode;
    if (born === 'cut') return end();
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on('error', end).on('close', () => {
        this.sockets.delete(socket);
        if (this.mode !== 'frozen') end();
      });
    }
    let mutation = false;
    near.on('data', (data) => {
      mutation ||= data.includes('"query":"mutation') && !(data.includes('refreshSession') && this.renewals++ % 2);
      far.write(data);
    });
    let frozen = false;
    far.on('data', (data) => {
      frozen ||= this.mode === 'frozen';
      const deaf = mutation && this.mode === 'deaf';
      if (!frozen && !deaf) near.write(data);
      if (mutation && (frozen || deaf)) this.lost += 1;
      mutation = false;
      if (deaf) end();
      if (deaf && this.next) this.is(this.next);
    });
  }
}
