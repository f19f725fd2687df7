import { isUtf8 } from 'node:buffer';
import type { Charset } from '../../protocol/charset.js';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { Errno } from '../libc/errno.js';
import { strerror } from '../report/errno.js';
import { locale } from '../report/locale.js';

/** What of `iconv-lite` is used. It replaces what it cannot convert, which is for us to find out. */
interface Codec {
  encodingExists(name: string): boolean;
  decode(bytes: Buffer, name: string, options: { stripBOM: boolean }): string;
  encode(text: string, name: string): Buffer;
}

/** What stands in a decoded text for bytes that are no character. */
const WRONG = '\ufffd';
const ASCII = /^[\x00-\x7f]*$/;
/** All characters of names that mean something in a path must be themselves. */
const PATH_CHARACTERS = './-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ';
const ALL_ASCII = String.fromCharCode(...Array.from({ length: 128 }, (_, i) => i));

const fromBytes = (bytes: Buffer): ByteString => bytes.toString('latin1');
const toBytes = (text: ByteString): Buffer => Buffer.from(text, 'latin1');

abstract class Named implements Charset {
  abstract toWire(text: ByteString): ByteString | null;
  abstract toLocal(text: ByteString): ByteString | null;

  /** The C library tells a character that only lacks its last bytes from one that is none. */
  fault(text: ByteString): string {
    const bytes = toBytes(text);
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    } catch {
      return strerror(Errno.EILSEQ);
    }
    return strerror(isUtf8(bytes) ? Errno.EILSEQ : Errno.EINVAL);
  }
}

/** Names that are UTF-8 here, too: nothing is changed, but what is no UTF-8 does not travel. */
class Utf8 extends Named {
  toWire(text: ByteString): ByteString | null {
    return ASCII.test(text) || isUtf8(toBytes(text)) ? text : null;
  }

  toLocal(text: ByteString): ByteString | null {
    return this.toWire(text);
  }
}

/** Any other character set. What would not come back as it was is not converted. */
class Other extends Named {
  private readonly isAscii: boolean;

  constructor(
    private readonly codec: Codec,
    private readonly name: string,
  ) {
    super();
    this.isAscii = this.isPlain(ALL_ASCII);
  }

  /** True when these characters are bytes of their own number. */
  isPlain(text: string): boolean {
    return fromBytes(this.encode(text)) === text && this.decode(toBytes(text)) === text;
  }

  toWire(text: ByteString): ByteString | null {
    if (this.isAscii && ASCII.test(text)) return text;
    const decoded = this.decode(toBytes(text));
    return decoded.includes(WRONG) ? null : fromBytes(Buffer.from(decoded, 'utf8'));
  }

  toLocal(text: ByteString): ByteString | null {
    if (this.isAscii && ASCII.test(text)) return text;
    const bytes = toBytes(text);
    if (!isUtf8(bytes)) return null;
    const wanted = bytes.toString('utf8');
    if (wanted.includes(WRONG)) return null;
    const encoded = this.encode(wanted);
    return this.decode(encoded) === wanted ? fromBytes(encoded) : null;
  }

  private decode(bytes: Buffer): string {
    return this.codec.decode(bytes, this.name, { stripBOM: false });
  }

  private encode(text: string): Buffer {
    return this.codec.encode(text, this.name);
  }
}

const opened = new Map<string, Charset>();

/**
 * The character set that --iconv means on this side: LOCAL of `LOCAL,REMOTE`, `.` and nothing being that of the locale.
 * Exit code 4 for one that is not known.
 */
export async function openCharset(spec: string): Promise<Charset> {
  const word = spec.split(',', 1)[0];
  const name = word === '' || word === '.' ? locale().charset : word;
  let charset = opened.get(name);
  if (charset === undefined) {
    charset = /^utf-?8$/i.test(name) ? new Utf8() : await load(name);
    opened.set(name, charset);
  }
  return charset;
}

async function load(name: string): Promise<Charset> {
  const { default: codec } = (await import('iconv-lite')) as unknown as { default: Codec };
  if (codec.encodingExists(name)) {
    const charset = new Other(codec, name);
    if (charset.isPlain(PATH_CHARACTERS)) return charset;
  }
  throw new RsyncError(Exit.UNSUPPORTED, `iconv_open("UTF-8", "${name}") failed`);
}
