import type { ByteString } from '../../../protocol/options.js';
import { joinWords } from '../config/words.js';
import { contentOf, IniWriter } from './ini-writer.js';
import { extraWords, listOf, rsyncTable, sshCommand, textOf } from './lsyncd-options.js';
import { type LsyncdScript, runLsyncdScript, type SyncCall } from './lsyncd-script.js';
import { LuaTable, type LuaValue } from './lua.js';

type Entry = readonly [key: string, value: ByteString];

/** A `sync{}` in the words of the service; several with the same `entries` become one with several targets. */
interface Translated {
  source: ByteString;
  entries: Entry[];
  targets: ByteString[];
  comments: string[];
  /** Where the calls are. */
  where: string[];
}

/** Translates an lsyncd configuration by running it. Throws ConfigError with the script's message. */
export function importLsyncd(text: ByteString, file: string): ByteString {
  const script = runLsyncdScript(text, file);
  const out = new IniWriter();
  out.comment(`From the lsyncd configuration ${file}`);
  const delay = writeSettings(out, script);
  const done: Translated[] = [];
  const left: { call: SyncCall; why: string }[] = [];
  for (const call of script.syncs) {
    const why = unsupported(call);
    if (why !== null) left.push({ call, why });
    else join(done, translate(call, script.settings, delay));
  }
  for (const sync of done) writeSync(out, sync);
  for (const { call, why } of left) {
    out.blank();
    out.comment(`${call.where}: no equivalent for this sync of ${textOf(call.table.get('source'))}: ${why}`);
  }
  if (script.tunnels > 0)
    out.comment('no equivalent for tunnel{}: give the remote shell what it needs with -e in "options".');
  return out.text;
}

/** Settings that have an entry of the same meaning. */
const SETTINGS: Readonly<Record<string, string>> = {
  logfile: 'log file',
  pidfile: 'pid file',
  statusFile: 'status file',
  statusInterval: 'status interval',
  maxProcesses: 'total sessions',
};

/** Settings that have none, and what to say about them. */
const NO_EQUIVALENT: Readonly<Record<string, string>> = {
  nodaemon: 'the service stays in the foreground unless it is started with --detach.',
  onepass: 'start it with --once for a single pass.',
  insist: 'the service always goes on when a target cannot be reached, and tries again.',
  logfacility: 'there is no syslog: "log file", or what is printed goes to the journal.',
  logident: 'there is no syslog: "log file", or what is printed goes to the journal.',
  maxDelays: 'changes are not counted: they go as soon as a session is free.',
  log: 'the log tells every change of state.',
};

/** Words of `events` for each inotifyMode. */
const MODES: Readonly<Record<string, string>> = {
  closewrite: 'write create delete attributes',
  modify: 'modify create delete attributes',
  'closewrite or modify': 'write modify create delete attributes',
};

/** Returns the delay that the settings give to all syncs. */
function writeSettings(out: IniWriter, { settings }: LsyncdScript): LuaValue {
  for (const [key, value] of settings.fields) {
    if (SETTINGS[key] !== undefined) out.entry(SETTINGS[key], textOf(value));
    else if (key === 'nodaemon' && value === true) continue;
    else if (NO_EQUIVALENT[key] !== undefined) out.comment(`${key}: ${NO_EQUIVALENT[key]}`);
    else if (key === 'inotifyMode') {
      const words = MODES[textOf(value).toLowerCase()];
      if (words === undefined) out.comment(`no equivalent for inotifyMode = ${textOf(value)}.`);
      else out.entry('events', words);
    } else if (key !== 'delay' && key !== 'crontab') out.comment(`no equivalent for settings.${key}.`);
  }
  return settings.get('delay');
}

function unsupported(call: SyncCall): string | null {
  const { table, kind } = call;
  if (kind === '')
    return 'it is not based on default.rsync, default.rsyncssh or default.direct but has actions of its own.';
  if (kind === 'tunnel') return 'it goes through a tunnel.';
  if (textOf(table.get('source')) === '') return 'it has no source.';
  if (destination(call) === '') return 'it has no target.';
  return null;
}

function destination({ table, kind }: SyncCall): ByteString {
  const host = textOf(table.get('host'));
  const dir = textOf(table.get('targetdir'));
  const dest = textOf(table.get('target')) || (host === '' ? '' : `${host}:${dir}`);
  if (kind === 'rsyncssh' && host === '') return '';
  return dest === '' || /[/:]$/.test(dest) ? dest : `${dest}/`;
}

/** Switches that are on for each implementation; direct copies with `cp -p`. */
const BASE: Readonly<Record<string, readonly string[]>> = {
  rsync: ['links', 'times'],
  rsyncssh: ['links', 'times'],
  direct: ['links', 'times', 'perms', 'owner', 'group', 'devices', 'specials'],
};

function translate(call: SyncCall, settings: LuaTable, delay: LuaValue): Translated {
  const { table, kind } = call;
  const given = table.get('rsync');
  const rsync = rsyncTable(given instanceof LuaTable ? given : new LuaTable(), BASE[kind]);
  const ssh = kind === 'rsyncssh' ? sshCommand(table.get('ssh')) : '';
  const comments = [...rsync.comments];
  const old = extraWords(table.get('rsyncOps') ?? table.get('rsyncOpts'));
  const options = [...(old.length > 0 ? old : rsync.options), ...deleteOption(table.get('delete'), comments)];
  if (ssh !== '') options.push(`--rsh=${ssh}`);
  const entries: Entry[] = [['options', joinWords(options)]];
  if (rsync.passwordFile !== '') entries.push(['password file', rsync.passwordFile]);
  entries.push(...ruleEntries(table));
  const own = table.get('delay') ?? delay;
  if (typeof own === 'number' && own > 1) entries.push(['settle', `${own} s`]);
  else comments.push('delay: changes go at once; "settle = N s" waits for more of them.');
  const crontab = table.get('crontab') ?? settings.get('crontab');
  for (const pattern of listOf(crontab)) entries.push(['full resync', pattern]);
  const most = table.get('maxProcesses');
  if (typeof most === 'number' && most > 1) entries.push(['sessions', String(most)]);
  comments.push(...leftOver(table));
  const source = contentOf(textOf(table.get('source')));
  return { source, entries, targets: [destination(call)], comments, where: [call.where] };
}

function deleteOption(value: LuaValue, comments: string[]): ByteString[] {
  if (value === false) return [];
  if (value === 'startup') {
    comments.push('delete = "startup": deletions happen always or never; never was taken. Add --delete for always.');
    return [];
  }
  if (value === 'running') comments.push('delete = "running": deletions also happen at the start.');
  return ['--delete'];
}

function ruleEntries(table: LuaTable): Entry[] {
  return [
    ...listOf(table.get('filter')).map((rule): Entry => ['filter', rule]),
    ...listOf(table.get('filterFrom')).map((path): Entry => ['filter', `merge ${path}`]),
    ...listOf(table.get('exclude')).map((pattern): Entry => ['exclude', pattern]),
    ...listOf(table.get('excludeFrom')).map((path): Entry => ['exclude from', path]),
  ];
}

/** Keys of a sync that were dealt with above, or that say nothing to others. */
const TAKEN: ReadonlySet<string> = new Set([
  'source',
  'target',
  'host',
  'targetdir',
  'ssh',
  'rsync',
  'rsyncOps',
  'rsyncOpts',
  'delete',
  'filter',
  'filterFrom',
  'exclude',
  'excludeFrom',
  'delay',
  'crontab',
  'maxProcesses',
  'checkgauge',
  'name',
]);

const WHY: Readonly<Record<string, string>> = {
  init: 'the comparison at the start cannot be left out: it is what makes sure that nothing is lost.',
  full: 'a comparison of everything is always the same.',
  exitcodes: 'what fails is always tried again, with growing delays.',
  rsyncExitCodes: 'what fails is always tried again, with growing delays.',
  sshExitCodes: 'what fails is always tried again, with growing delays.',
  maxDelays: 'changes are not counted: they go as soon as a session is free.',
  batchSizeLimit: 'large files go with the others; "sessions" lets several run at once.',
  tunnel: 'give the remote shell what it needs with -e in "options".',
  monitor: 'see "watch".',
};

function leftOver(table: LuaTable): string[] {
  const comments: string[] = [];
  for (const [key, value] of table.fields) {
    if (TAKEN.has(key)) continue;
    if (WHY[key] !== undefined) comments.push(`${key}: ${WHY[key]}`);
    else if (/^on[A-Z]/.test(key) && typeof value === 'boolean') continue;
    else if (/^on[A-Z]/.test(key) || ['action', 'collect', 'prepare'].includes(key)) {
      comments.push(`no equivalent for the action ${key}: a [hook NAME] runs a command after each batch.`);
    } else comments.push(`no equivalent for ${key}.`);
  }
  return comments;
}

/** Adds a sync to the list; one with the same source and settings gets another target. */
function join(done: Translated[], next: Translated): void {
  const same = done.find(
    (one) => one.source === next.source && JSON.stringify(one.entries) === JSON.stringify(next.entries),
  );
  if (same === undefined) {
    done.push(next);
    return;
  }
  for (const target of next.targets) if (!same.targets.includes(target)) same.targets.push(target);
  same.comments.push(...next.comments);
  same.where.push(...next.where);
}

function writeSync(out: IniWriter, sync: Translated): void {
  out.section('sync', out.name(sync.source, 'sync'));
  out.comment([...new Set(sync.where)].join(', '));
  out.entry('source', sync.source);
  for (const target of sync.targets) out.entry('target', target);
  for (const [key, value] of sync.entries) out.entry(key, value);
  for (const comment of new Set(sync.comments)) out.comment(comment);
}
