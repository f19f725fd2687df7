import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK } from '../../protocol/constants.js';

function two(n: number): string {
  return n < 10 ? `0${n}` : `${n}`;
}

/** Seconds since 1970 as local time: `2026/11/21 06:24:00`. */
export function timeString(seconds: number): string {
  return dateString(new Date(seconds * 1000));
}

/** A date in the form of every list and log line. */
export function dateString(d: Date): string {
  const year = d.getFullYear();
  if (Number.isNaN(year)) return '(time out of range)';
  const day = `${String(year).padStart(4)}/${two(d.getMonth() + 1)}/${two(d.getDate())}`;
  return `${day} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

const TYPE_LETTER: Readonly<Record<number, string>> = {
  [S_IFDIR]: 'd',
  [S_IFLNK]: 'l',
  [S_IFBLK]: 'b',
  [S_IFCHR]: 'c',
  [S_IFSOCK]: 's',
  [S_IFIFO]: 'p',
};
const TRIPLETS = ['---', '--x', '-w-', '-wx', 'r--', 'r-x', 'rw-', 'rwx'] as const;

/** The last letter of a triplet that carries a special bit. */
function special(triplet: string, letter: string): string {
  return triplet.slice(0, 2) + (triplet[2] === 'x' ? letter : letter.toUpperCase());
}

/** A mode as ls shows it, ten characters: `drwxr-sr-t`. */
export function permString(mode: number): string {
  let user: string = TRIPLETS[(mode >> 6) & 7];
  let group: string = TRIPLETS[(mode >> 3) & 7];
  let other: string = TRIPLETS[mode & 7];
  if (mode & 0o4000) user = special(user, 's');
  if (mode & 0o2000) group = special(group, 's');
  if (mode & 0o1000) other = special(other, 't');
  return (TYPE_LETTER[mode & S_IFMT] ?? '-') + user + group + other;
}
