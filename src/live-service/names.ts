import type { ByteString } from '../../protocol/options.js';
import { escapeName } from '../report/escape.js';

/** A name as text for JSON: UTF-8 where it is that, else with rsync's `\#ooo` for the bytes that are not. */
export function nameText(name: ByteString): string {
  if (/^[\x20-\x7e]*$/.test(name)) return name;
  const text = Buffer.from(name, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? Buffer.from(escapeName(name, false, true), 'latin1').toString('utf8') : text;
}
