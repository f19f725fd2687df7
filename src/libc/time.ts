import { cString, lazily, needed } from './bind.js';

/** Bytes of the longest text of a time. */
const LONGEST = 4096;

const functions = lazily({
  localtime_r: 'void *localtime_r(void *time, void *into)',
  strftime: 'size_t strftime(void *into, size_t size, void *format, void *time)',
});

/** Local time as strftime(3) writes it; a byte string. `seconds` since 1970. */
export function formatTime(format: string, seconds: number): string {
  const c = needed(functions(), 'formats of times');
  const parts = Buffer.alloc(128);
  c.localtime_r(new BigInt64Array([BigInt(Math.floor(seconds))]), parts);
  const text = Buffer.alloc(LONGEST);
  const length = c.strftime(text, LONGEST, cString(Buffer.from(format, 'latin1'), 'strftime'), parts);
  return text.toString('latin1', 0, Number(length));
}
