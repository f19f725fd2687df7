import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { findParam } from './params.js';

type Value = string | number | boolean;
type Section = Readonly<Record<string, Value>>;

/** A daemon's configuration as a plain object: parameters by their names, with or without spaces, in any case. */
export interface DaemonConfigObject {
  global?: Section;
  modules: Readonly<Record<string, Section>>;
}

function line(name: string, value: Value): string {
  const text = typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
  if (findParam(name) === null) throw new RsyncError(Exit.SYNTAX, `Unknown parameter "${name}"`);
  if (/[\r\n\0]|\\\s*$/.test(text))
    throw new RsyncError(Exit.SYNTAX, `the value of "${name}" cannot stand in one line`);
  return `${name} = ${text}\n`;
}

/** The same as the text of an rsyncd.conf. Throws exit code 1 for what such a file cannot say. */
export function confText(config: DaemonConfigObject): ByteString {
  let text = '';
  for (const [name, value] of Object.entries(config.global ?? {})) text += line(name, value);
  for (const [module, section] of Object.entries(config.modules)) {
    if (/[\]/\r\n\0\\]/.test(module) || module.trim() === '') {
      throw new RsyncError(Exit.SYNTAX, `invalid module name "${module}"`);
    }
    text += `[${module}]\n`;
    for (const [name, value] of Object.entries(section)) text += line(name, value);
  }
  return Buffer.from(text).toString('latin1');
}
