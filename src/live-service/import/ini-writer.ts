import type { ByteString } from '../../../protocol/options.js';
import { encodeValue } from '../config/lines.js';

/** Columns of a comment line. */
const WIDTH = 100;

/** Writes a configuration, comments included. */
export class IniWriter {
  private out = '';
  private readonly names = new Set<string>();

  get text(): ByteString {
    return this.out;
  }

  section(kind: string, name: string): void {
    this.blank();
    this.out += `[${kind} ${name}]\n`;
  }

  blank(): void {
    if (this.out !== '' && !this.out.endsWith('\n\n')) this.out += '\n';
  }

  entry(key: string, value: ByteString): void {
    this.out += `${key} = ${encodeValue(value)}\n`;
  }

  /** A comment of any length and number of lines. */
  comment(text: ByteString): void {
    for (const line of text.split('\n')) {
      let row = '#';
      for (const word of line.split(' ')) {
        if (row.length + word.length >= WIDTH && row !== '#') {
          this.out += `${row}\n`;
          row = '#  ';
        }
        row += ` ${word}`;
      }
      this.out += `${row.trimEnd()}\n`;
    }
  }

  /** A name for a section that no other has, made from a path or host. */
  name(from: ByteString, otherwise: string): string {
    const short = from
      .replace(/\/+$/, '')
      .replace(/^.*\//, '')
      .replace(/[^A-Za-z0-9_.@-]+/g, '-')
      .replace(/^-+|-+$/g, '');
    const base = short === '' ? otherwise : short;
    let name = base;
    for (let n = 2; this.names.has(name); n++) name = `${base}-${n}`;
    this.names.add(name);
    return name;
  }
}

/** A directory whose content is meant. */
export function contentOf(path: ByteString): ByteString {
  return path.endsWith('/') ? path : `${path}/`;
}
