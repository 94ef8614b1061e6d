// The tabs of a browser that share a store: one of them is connected, and all exchange what they store.

import type { Commit } from './store.js';

/** The state of the connection. The tabs that are not connected show the state of the one that is. */
export type Status =
  /** Not connected. Changes are stored, and the client retries. */
  | 'offline'
  /** Connected, and reading missed changes. */
  | 'catching up'
  /** Connected. Changes of other devices arrive as they happen. */
  | 'live'
  /** The session has ended. Call `start` after the user has signed in again. The outbox is kept. */
  | 'signed out'
  /** The state could not be stored, for example because the disk is full. Open the client again. */
  | 'broken';

export type Message =
  | { readonly kind: 'commit'; readonly commit: Commit }
  | { readonly kind: 'status'; readonly status: Status; readonly revision: number }
  /** A tab has opened, and asks for the status. */
  | { readonly kind: 'hello' }
  | { readonly kind: 'wake' };

/** Without a name, or in a runtime without Web Locks, there is only this client. */
export class Tabs {
  private readonly name: string | undefined;
  private readonly channel: BroadcastChannel | undefined;

  constructor(name: string | undefined, receive: (message: Message) => void) {
    if (name === undefined || !globalThis.navigator?.locks) return;
    this.name = `snapnote:${name}`;
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = ({ data }) => receive(data as Message);
  }

  post(message: Message): void {
    this.channel?.postMessage(message);
  }

  /** Runs a function while no other tab does, as soon as this is possible. */
  async lead(run: () => Promise<void>, stop: AbortSignal): Promise<void> {
    if (this.name === undefined) return run();
    await navigator.locks.request(this.name, { signal: stop }, run).catch((error: unknown) => {
      if (!stop.aborted) throw error;
    });
  }

  close(): void {
    this.channel?.close();
  }
}
