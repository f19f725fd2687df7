/**
 * The words of --info and --debug and what -v means in them (rsync(1), "--info" and "--debug"). A level comes from a
 * default or -v, or from the user; a user's word is never overruled by -v, and only user's words go to the server (1.2).
 */

/** Which processes a word concerns. */
export const Where = { CLIENT: 1, SERVER: 2, SENDER: 4, RECEIVER: 8 } as const;
const { CLIENT, SERVER, SENDER, RECEIVER } = Where;

export type WordKind = 'info' | 'debug';

/** Word, where it acts, and a line of help, in the order of the help page. */
const WORDS: Readonly<Record<WordKind, ReadonlyArray<readonly [string, number, string]>>> = {
  info: [
    ['backup', RECEIVER, 'files that were backed up'],
    ['copy', RECEIVER, 'files copied on the receiving side itself'],
    ['del', RECEIVER, 'deletions on the receiving side'],
    ['flist', CLIENT, 'sending and receiving of the file list (2 levels)'],
    ['misc', SENDER | RECEIVER, 'anything that has no word of its own (2 levels)'],
    ['mount', SENDER | RECEIVER, 'mount points found or skipped'],
    ['name', SENDER | RECEIVER, '1: names of updated items, 2: of unchanged ones too'],
    ['nonreg', RECEIVER, 'non-regular files that are skipped (on unless 0)'],
    ['progress', CLIENT, '1: progress of each file, 2: of the whole transfer'],
    ['remove', SENDER, 'files removed on the sending side'],
    ['skip', RECEIVER, 'files that an option told to skip (2 levels)'],
    ['stats', CLIENT | SERVER, 'statistics at the end (3 levels)'],
    ['symsafe', SENDER | RECEIVER, 'symlinks that are unsafe'],
  ],
  debug: [
    ['acl', SENDER | RECEIVER, 'ACLs'],
    ['backup', RECEIVER, 'backups (2 levels)'],
    ['bind', CLIENT, 'binding of sockets'],
    ['chdir', CLIENT | SERVER, 'changes of the current directory'],
    ['connect', CLIENT, 'connections (2 levels)'],
    ['cmd', CLIENT, 'commands and arguments that are used (2 levels)'],
    ['del', RECEIVER, 'deletions (3 levels)'],
    ['deltasum', SENDER | RECEIVER, 'block sums and matches (4 levels)'],
    ['dup', RECEIVER, 'names that occur twice'],
    ['exit', CLIENT | SERVER, 'the end of the run (3 levels)'],
    ['filter', SENDER | RECEIVER, 'filter rules (3 levels)'],
    ['flist', SENDER | RECEIVER, 'the file list (4 levels)'],
    ['fuzzy', RECEIVER, 'the search for similar files (2 levels)'],
    ['genr', RECEIVER, 'the generator'],
    ['hash', SENDER | RECEIVER, 'hash tables'],
    ['hlink', SENDER | RECEIVER, 'hard links (3 levels)'],
    ['iconv', CLIENT | SERVER, 'conversion of names (2 levels)'],
    ['io', CLIENT | SERVER, 'input and output (4 levels)'],
    ['nstr', CLIENT | SERVER, 'negotiated names'],
    ['own', RECEIVER, 'users and groups (2 levels)'],
    ['proto', CLIENT | SERVER, 'protocol versions'],
    ['recv', RECEIVER, 'the receiver'],
    ['send', SENDER, 'the sender'],
    ['time', RECEIVER, 'modification times (2 levels)'],
  ],
};

/** Words that each level of -v adds. Level 0 is what a run without -v has. */
const BY_VERBOSITY: Readonly<Record<WordKind, readonly string[]>> = {
  info: ['nonreg', 'copy,del,flist,misc,name,stats,symsafe', 'backup,misc2,mount,name2,remove,skip', '', '', ''],
  debug: [
    '',
    '',
    'bind,cmd,connect,del,deltasum,dup,filter,flist,iconv',
    'acl,backup,connect2,deltasum2,del2,exit,filter2,flist2,fuzzy,genr,own,recv,send,time',
    'cmd2,deltasum3,del3,exit2,flist3,iconv2,own2,proto,time2',
    'chdir,deltasum4,flist4,fuzzy2,hash,hlink',
  ],
};
const MAX_VERBOSITY = 5;
/** Greatest digit behind a word. */
const MAX_LEVEL = 4;

/** Levels of all words of one kind, and which of them the user named. */
export interface Levels {
  readonly kind: WordKind;
  level: Record<string, number>;
  given: Record<string, boolean>;
}

export function newLevels(kind: WordKind): Levels {
  const level: Record<string, number> = {};
  for (const [word] of WORDS[kind]) level[word] = 0;
  return { kind, level, given: {} };
}

/**
 * Applies a list such as `name2,progress,del0` or `all4`. Returns null, or the first word that does not exist (the
 * words before it are applied), or 'help' when the list asks for help.
 */
export function applyWords(levels: Levels, list: string, byUser: boolean): string | null {
  for (const item of list.split(',')) {
    if (item === '') continue;
    const m = /^(\d|.*?)(\d*)$/s.exec(item) as RegExpExecArray;
    let word = m[1].toLowerCase();
    let value = m[2] === '' ? 1 : Math.min(Number(m[2]), MAX_LEVEL);
    if (word === 'help') return 'help';
    const none = word === 'none';
    if (none) value = 0;
    if (none || word === 'all') word = '';
    else if (!Object.hasOwn(levels.level, word)) return m[1];
    for (const [name] of WORDS[levels.kind]) {
      if (word !== '' && word !== name) continue;
      if (!byUser && levels.given[name]) continue;
      levels.level[name] = value;
      if (byUser) levels.given[name] = true;
    }
  }
  return null;
}

/** Applies what -v repeated `verbosity` times means. */
export function applyVerbosity(levels: Levels, verbosity: number): void {
  for (let i = 0; i <= Math.min(verbosity, MAX_VERBOSITY); i++) applyWords(levels, BY_VERBOSITY[levels.kind][i], false);
}

/** A daemon's "max verbosity": no level may exceed what -v repeated `verbosity` times gives. */
export function limitLevels(level: Record<string, number>, kind: WordKind, verbosity: number): void {
  if (verbosity > MAX_VERBOSITY) return;
  const limit = newLevels(kind);
  applyVerbosity(limit, verbosity);
  for (const name in level) level[name] = Math.min(level[name], limit.level[name] ?? 0);
}

/**
 * The `--info=…` argument for the other side (1.2), or '' when there is nothing to say. `given` holds the words that
 * the user named, with their levels; `where` is the set of roles that the other side has. When the user named every
 * word of the other side and five or more share a level, that level is written as ALL, ALLn or NONE.
 */
export function infoArgument(given: Readonly<Record<string, number>>, where: number): string {
  const count = new Array<number>(MAX_LEVEL + 1).fill(0);
  let common = -1;
  let skipped = false;
  const words: string[] = [];
  for (const [word, roles] of WORDS.info) {
    if ((roles & where) === 0) continue;
    const level = given[word];
    if (level === undefined) {
      skipped = true;
      continue;
    }
    words.push(word);
    if (++count[level] > (common < 0 ? 0 : count[common])) common = level;
  }
  if (words.length === 0) return '';
  const parts: string[] = [];
  if (skipped || count[common] < 5) common = -1;
  else parts.push(common === 0 ? 'NONE' : common === 1 ? 'ALL' : `ALL${common}`);
  for (const word of words) {
    const level = given[word];
    if (level !== common) parts.push(word.toUpperCase() + (level === 1 ? '' : String(level)));
  }
  return `--info=${parts.join(',')}`;
}

/** Help of --info=help and --debug=help. */
export function wordsHelp(kind: WordKind): string {
  const line = (name: string, text: string) => `${name.padEnd(10)} ${text}\n`;
  let text = 'WORD or WORD1 turns level 1 on, WORD2 level 2 and so on; WORD0 silences.\n\n';
  for (const [word, , help] of WORDS[kind]) text += line(word.toUpperCase(), help);
  text += `\n${line('ALL', `all of the above (ALL2 and so on set their level)`)}`;
  text += line('NONE', 'none of the above (as ALL0)');
  text += line('HELP', 'this text');
  text += '\nWhat -v adds:\n';
  BY_VERBOSITY[kind].forEach((words, i) => {
    if (words !== '') text += `${i}) ${words.toUpperCase()}\n`;
  });
  return text;
}
