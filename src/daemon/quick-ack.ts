import type net from 'node:net';
import { acknowledge, libcLoaded } from '../libc/libc.js';

/** Above this many bytes at once, more is on its way already. */
const SMALL = 1024;

/**
 * A client that writes in small pieces has its TCP hold the next one until this side has acknowledged the last; when
 * this side has nothing to say before it has seen both, that takes 40 ms. So small pieces are acknowledged at once.
 * Without the C library, nothing happens. To be called for each `n` bytes that `socket` has received.
 */
export function acknowledgeSmall(socket: net.Socket, n: number): void {
  if (n >= SMALL || socket.destroyed || !libcLoaded()) return;
  // A socket's descriptor has no public name.
  const { fd } = (socket as unknown as { _handle: { fd: number } | null })._handle ?? { fd: -1 };
  if (fd >= 0) acknowledge(fd);
}
