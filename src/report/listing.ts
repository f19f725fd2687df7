import { S_IFLNK, S_IFMT } from '../../protocol/constants.js';
import type { FileList } from '../../protocol/flist/list.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { humanNumber } from './numbers.js';
import { permString, timeString } from './times.js';

/** Width of the permissions with the blank behind them. */
const MODE_WIDTH = 11;

/**
 * One line of --list-only: `-rw-r--r--          1,234 2026/11/21 06:24:00 name -> target`. With -U the access time
 * stands behind the modification time. An argument that does not exist (mode 0) is listed as `*missing`.
 */
export function listLine(list: FileList, row: number, o: Options): ByteString {
  const mode = list.mode(row);
  const sizeWidth = o.humanReadable > 0 ? 14 : 11;
  const mtime = timeString(list.mtime(row));
  const atimeWidth = o.atimes > 0 ? mtime.length + 1 : 0;
  const name = list.path(row);
  if (mode === 0 && o.deleteMissingArgs) {
    return `${'*missing'.padEnd(MODE_WIDTH + sizeWidth + mtime.length + 1 + atimeWidth)} ${name}\n`;
  }
  const size = humanNumber(list.size(row), o.humanReadable).padStart(sizeWidth);
  const atime = atimeWidth > 0 && !list.isDir(row) ? timeString(list.atime(row)) : '';
  const isLink = o.links && (mode & S_IFMT) === S_IFLNK;
  const target = isLink ? ` -> ${list.target(row)?.toString('latin1') ?? ''}` : '';
  return `${permString(mode)} ${size} ${mtime}${atime.padStart(atimeWidth)} ${name}${target}\n`;
}
