import type { ByteString } from '../../protocol/options.js';

/** Text of a program as bytes: names are UTF-8 there. */
export function toBytes(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The other way; what is not UTF-8 becomes U+FFFD. */
export function toText(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The lines of a message, those of progress included, without empty ones. */
export function linesOf(text: ByteString): string[] {
  return toText(text)
    .split(/[\r\n]/)
    .filter((line) => line !== '');
}
