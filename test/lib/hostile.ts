import { connect, createServer, type Socket } from 'node:net';
import type { Teardown } from './temp.js';
import { within } from './wait.js';

const PATIENCE = 60_000;

/** One end of a raw connection, for tests that play a peer by hand. */
export class RawPeer {
  private received = Buffer.alloc(0);
  private wake: (() => void) | null = null;
  ended = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake?.();
    });
    const over = (): void => {
      this.ended = true;
      this.wake?.();
    };
    socket.on('end', over);
    socket.on('close', over);
    socket.on('error', over);
  }

  send(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** The next `count` bytes; what there is when the other side ends first. */
  async bytes(count: number): Promise<Buffer> {
    await this.until(() => this.received.length >= count, `${count} bytes`);
    return this.take(Math.min(count, this.received.length));
  }

  /** The next line without its newline; '' when the other side ends first. */
  async line(): Promise<string> {
    await this.until(() => this.received.includes(10), 'a line');
    const end = this.received.indexOf(10);
    return end < 0
      ? ''
      : this.take(end + 1)
          .toString('latin1')
          .slice(0, -1);
  }

  /** Everything up to the other side's end. */
  async rest(): Promise<Buffer> {
    await this.until(() => false, 'the end of the connection');
    return this.take(this.received.length);
  }

  /** Waits until what arrived and was not taken yet is `enough`, or nothing new came for `silence` ms. */
  async heard(enough: (bytes: Buffer) => boolean, silence: number): Promise<void> {
    while (!this.ended && !enough(this.received)) {
      const before = this.received.length;
      const more = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await within(more, silence, 'more').catch(() => {});
      if (this.received.length === before) return;
    }
  }

  close(): void {
    this.socket.destroy();
  }

  private take(count: number): Buffer {
    const taken = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return taken;
  }

  private async until(ready: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    while (!ready() && !this.ended) {
      const more = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await within(more, Math.max(1, deadline - Date.now()), what);
    }
  }
}

/** A server that speaks exactly what `script` says to each client; returns its port. */
export async function hostileServer(t: Teardown, script: (peer: RawPeer) => Promise<void>): Promise<number> {
  const peers = new Set<RawPeer>();
  const server = createServer((socket) => {
    const peer = new RawPeer(socket);
    peers.add(peer);
    script(peer).then(
      () => socket.end(),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const peer of peers) peer.close();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as { port: number }).port;
}

/** A client that speaks what the test says. */
export async function hostileClient(t: Teardown, port: number): Promise<RawPeer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await within(
    new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }),
    PATIENCE,
    'a connection',
  );
  t.teardown(() => socket.destroy());
  return new RawPeer(socket);
}
