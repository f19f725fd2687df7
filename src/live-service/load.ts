import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { errnoText } from '../report/errno.js';
import { ConfigError } from './config/lines.js';
import { readConfig } from './config/read.js';
import type { ServiceConfig } from './config/types.js';
import { importText } from './import/import.js';
import { nameText } from './names.js';

/** A configuration longer than this is none. */
const MAX_CONFIG = 4 * 1024 * 1024;

/** Where the service listens for `status` and its like when its configuration does not say. */
export function defaultSocket(): ByteString {
  const { XDG_RUNTIME_DIR } = process.env;
  const dir = process.getuid?.() === 0 || !XDG_RUNTIME_DIR ? '/run' : XDG_RUNTIME_DIR;
  return `${dir}/tsrsync-live.sock`;
}

/** Text of a configuration file. Throws ConfigError. */
export function readConfigText(path: ByteString): ByteString {
  const name = Buffer.from(path, 'latin1');
  try {
    if (fs.statSync(name).size > MAX_CONFIG) throw Object.assign(new Error('too large'), { code: 'EFBIG', errno: -27 });
    return fs.readFileSync(name, 'latin1');
  } catch (error) {
    throw new ConfigError([`${nameText(path)}: ${errnoText(error)}`]);
  }
}

/** Reads a configuration in any of the languages that are understood. Throws ConfigError. */
export async function loadConfig(path: ByteString): Promise<ServiceConfig> {
  const { text } = await importText(readConfigText(path), path);
  return readConfig(text, path, defaultSocket());
}
