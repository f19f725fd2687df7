import { addressOf } from './libc.js';

/** Buffers are used again and again, so each is asked for its place once, and the one of the last call not even looked for. */
const places = new WeakMap<Uint8Array, number>();

/** Where buffers are that are used again and again. */
export class LastPlace {
  private buffer: Uint8Array | null = null;
  private place = 0;

  /** Where a buffer's memory is. */
  of(buffer: Uint8Array): number {
    if (buffer !== this.buffer) this.find(buffer);
    return this.place;
  }

  private find(buffer: Uint8Array): void {
    const place = places.get(buffer) ?? addressOf(buffer);
    places.set(buffer, place);
    this.buffer = buffer;
    this.place = place;
  }
}
