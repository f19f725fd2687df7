import { lazily } from './bind.js';

const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;

const functions = lazily({
  setsockopt: 'int setsockopt(int fd, int level, int name, void *value, unsigned int length)',
});

const ON = Int32Array.of(1);

/**
 * Has what a TCP socket received acknowledged now, instead of with the next output or after up to 40 ms. Nothing happens
 * where the C library cannot be reached or `fd` is no such socket.
 */
export function acknowledge(fd: number): void {
  functions()?.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, ON, ON.byteLength);
}
