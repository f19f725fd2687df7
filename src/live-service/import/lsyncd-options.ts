import type { ByteString } from '../../../protocol/options.js';
import { quoteWord, splitWords } from '../config/words.js';
import { LuaTable, type LuaValue } from './lua.js';

/** Letters of the switches in `rsync = {}`. */
const LETTERS: Readonly<Record<string, string>> = {
  acls: 'A',
  backup: 'b',
  checksum: 'c',
  compress: 'z',
  copy_dirlinks: 'k',
  copy_links: 'L',
  cvs_exclude: 'C',
  dry_run: 'n',
  executability: 'E',
  group: 'g',
  hard_links: 'H',
  ignore_times: 'I',
  ipv4: '4',
  ipv6: '6',
  keep_dirlinks: 'K',
  links: 'l',
  one_file_system: 'x',
  omit_dir_times: 'O',
  omit_link_times: 'J',
  owner: 'o',
  perms: 'p',
  prune_empty_dirs: 'm',
  quiet: 'q',
  sparse: 'S',
  times: 't',
  update: 'u',
  verbose: 'v',
  whole_file: 'W',
  xattrs: 'X',
};

/** Switches without a letter. */
const LONG: ReadonlySet<string> = new Set([
  'append',
  'append_verify',
  'copy_unsafe_links',
  'existing',
  'inplace',
  'delete_excluded',
]);

/** Keys with a value. */
const VALUES: ReadonlySet<string> = new Set([
  'backup_dir',
  'bwlimit',
  'chmod',
  'chown',
  'groupmap',
  'usermap',
  'rsh',
  'rsync_path',
  'suffix',
  'temp_dir',
  'timeout',
]);

/** What -a stands for. */
const ARCHIVE = ['links', 'perms', 'times', 'group', 'owner', 'devices', 'specials'];

export interface RsyncTable {
  options: ByteString[];
  passwordFile: ByteString;
  comments: string[];
}

/** The `rsync = {}` table of a sync as options. `base` are switches that are on unless the table says otherwise. */
export function rsyncTable(table: LuaTable, base: readonly string[]): RsyncTable {
  const comments: string[] = [];
  const on = (key: string): boolean => {
    const value = table.get(key);
    if (value !== null) return value === true || (typeof value === 'number' && value !== 0);
    return base.includes(key) || (table.get('archive') === true && ARCHIVE.includes(key));
  };
  const whole = ARCHIVE.every(on);
  let letters = whole ? 'a' : 'r';
  if (!whole && on('devices') && on('specials')) letters += 'D';
  for (const [key, letter] of Object.entries(LETTERS)) {
    if (on(key) && !(whole && ARCHIVE.includes(key))) letters += letter;
  }
  const options = [`-${letters}`];
  if (!whole && on('devices') !== on('specials')) options.push(on('devices') ? '--devices' : '--specials');
  for (const [key, value] of table.fields) {
    const name = `--${key.replaceAll('_', '-')}`;
    if (LONG.has(key) && value === true) options.push(name);
    else if (VALUES.has(key) && value !== null && value !== false) options.push(`${name}=${textOf(value)}`);
    else if (key === 'protect_args' && value === true) options.push('-s');
    else if (key === 'binary') comments.push(`rsync.binary = ${textOf(value)}: no rsync is called.`);
    else if (!isKnown(key)) comments.push(`no equivalent for rsync.${key}.`);
  }
  options.push(...extraWords(table.get('_extra')));
  return { options, passwordFile: textOf(table.get('password_file')), comments };
}

function isKnown(key: string): boolean {
  const others = ['archive', 'devices', 'specials', 'password_file', 'protect_args', 'recursive', '_extra'];
  return Object.hasOwn(LETTERS, key) || LONG.has(key) || VALUES.has(key) || others.includes(key);
}

/** `_extra`, or the `rsyncOps` of lsyncd 2.0, is a list of words; a single string is often several. */
export function extraWords(value: LuaValue): ByteString[] {
  if (typeof value === 'string') return splitWords(value);
  return value instanceof LuaTable ? listOf(value) : [];
}

/** The remote shell of `ssh = {}`, or '' when plain ssh does it. */
export function sshCommand(ssh: LuaValue): ByteString {
  if (!(ssh instanceof LuaTable)) return '';
  const words: ByteString[] = [];
  if (ssh.get('identityFile') !== null) words.push('-i', textOf(ssh.get('identityFile')));
  const options = ssh.get('options');
  if (options instanceof LuaTable) {
    for (const [key, value] of options.fields) words.push('-o', `${key}=${textOf(value)}`);
  }
  if (ssh.get('port') !== null) words.push('-p', textOf(ssh.get('port')));
  words.push(...extraWords(ssh.get('_extra')));
  const binary = textOf(ssh.get('binary'));
  if (words.length === 0 && binary === '') return '';
  return [binary === '' ? 'ssh' : binary, ...words].map(quoteWord).join(' ');
}

/** A string, or a number as Lua prints it. */
export function textOf(value: LuaValue): ByteString {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A list of strings; one string stands for a list of itself. */
export function listOf(value: LuaValue): ByteString[] {
  if (value instanceof LuaTable) return value.list.map(textOf).filter((text) => text !== '');
  const text = textOf(value);
  return text === '' ? [] : [text];
}
