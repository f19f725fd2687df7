import type { KoffiFunction } from './koffi.js';
import { bind, hasLibc, libcLoaded } from './libc.js';

const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;

const ON = Int32Array.of(1);

/**
 * So often this is asked for before the C library is loaded for it: a run that sends one file has eight answers to wait
 * for, to load the library would take 4 ms, and in the first words of a connection nobody waits.
 */
const FEW = 12;

let asked = 0;

let setsockopt: KoffiFunction | null = null;

/**
 * Has what a TCP socket received acknowledged now, instead of with the next output or after up to 40 ms. Nothing happens
 * where the C library cannot be reached or `fd` is no such socket.
 */
export function acknowledge(fd: number): void {
  if (!libcLoaded() && (++asked < FEW || !hasLibc())) return;
  set(fd, IPPROTO_TCP, TCP_QUICKACK, ON);
}

function set(fd: number, level: number, name: number, value: Int32Array): boolean {
  setsockopt ??= bind('int setsockopt(int fd, int level, int name, void *value, unsigned int length)');
  return setsockopt(fd, level, name, value, value.byteLength) === 0;
}

/** Gives a socket an option whose value is an int; false where it does not take it, or the C library cannot be reached. */
export function setSocketOption(fd: number, level: number, name: number, value: number): boolean {
  return hasLibc() && set(fd, level, name, Int32Array.of(value));
}
