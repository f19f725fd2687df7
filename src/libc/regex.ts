import { cString, lazily, needed } from './bind.js';

const REG_EXTENDED = 1;
const REG_ICASE = 2;
const REG_NOSUB = 8;
/** More bytes than any C library needs for its regex_t. */
const ROOM = 512;

const functions = lazily({
  regcomp: 'int regcomp(void *regex, void *pattern, int flags)',
  regexec: 'int regexec(void *regex, void *text, size_t count, void *matches, int flags)',
});

/**
 * A POSIX extended regular expression; texts are byte strings. Returns what tells whether it occurs in a text, or null
 * when it is none. It is kept for good: there is no way to free it.
 */
export function posixRegex(pattern: string, ignoreCase: boolean): ((text: string) => boolean) | null {
  const c = needed(functions(), 'regular expressions');
  const regex = Buffer.alloc(ROOM);
  const flags = REG_EXTENDED | REG_NOSUB | (ignoreCase ? REG_ICASE : 0);
  if (c.regcomp(regex, cString(Buffer.from(pattern, 'latin1'), 'regcomp'), flags) !== 0) return null;
  return (text) => c.regexec(regex, Buffer.from(`${text}\0`, 'latin1'), 0, null, 0) === 0;
}
