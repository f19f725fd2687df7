import type { KoffiFunction } from './koffi.js';
import { bind, libcLoaded } from './libc.js';

const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;

const ON = Int32Array.of(1);

let setsockopt: KoffiFunction | null = null;

/**
 * Has what a TCP socket received acknowledged now, instead of with the next output or after up to 40 ms. Nothing happens
 * where the C library is not loaded (to load it for a short run costs more than this saves) or `fd` is no such socket.
 */
export function acknowledge(fd: number): void {
  if (!libcLoaded()) return;
  setsockopt ??= bind('int setsockopt(int fd, int level, int name, void *value, unsigned int length)');
  setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, ON, ON.byteLength);
}
