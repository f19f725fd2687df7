import type { ByteString } from '../../../protocol/options.js';
import type { Change } from '../../watch/changes.js';
import { encodeValue } from './lines.js';
import type { HookConfig, Schedule, ServiceConfig, SyncConfig } from './types.js';
import { EVENT_BITS } from './values.js';
import { joinWords } from './words.js';

/** Milliseconds as a value that reads back to them. */
function timeText(ms: number): string {
  if (ms === 0) return '0';
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const;
  for (const [unit, size] of units) if (ms % size === 0) return `${ms / size} ${unit}`;
  return `${ms} ms`;
}

function scheduleText(schedule: Schedule): string {
  return schedule.kind === 'cron' ? schedule.pattern : `every ${timeText(schedule.ms)}`;
}

function eventsText(bits: Change): string {
  const words = Object.entries(EVENT_BITS).filter(([word, bit]) => word !== 'move' && (bits & bit) === bit);
  return words.map(([word]) => word).join(' ');
}

/** An address without what its query may hold. */
function safeUrl(url: string): string {
  return url.replace(/=[^&#]*/g, (match, at: number) => (url.lastIndexOf('?', at) >= 0 ? '=***' : match));
}

/** The configuration as it takes effect, defaults included, in its own language. Holds no secrets. */
export function printConfig(config: ServiceConfig): ByteString {
  const lines = [
    line('log file', config.logFile),
    line('pid file', config.pidFile),
    line('status socket', config.socket === '' ? 'none' : config.socket),
    line('http', config.http === null ? '' : `${bracketed(config.http.host)}:${config.http.port}`),
    line('status file', config.statusFile),
    line('status interval', timeText(config.statusIntervalMs)),
    line('total sessions', String(config.totalSessions)),
    line('drain time', timeText(config.drainMs)),
    ...config.syncs.flatMap(printSync),
  ];
  return lines.filter((text) => text !== '').join('');
}

function line(key: string, value: ByteString): ByteString {
  return value === '' ? '' : `${key} = ${encodeValue(value)}\n`;
}

const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host);

function printSync({ spec, schedules, resyncOptions, hooks }: SyncConfig): ByteString[] {
  return [
    `\n[sync ${spec.name}]\n`,
    ...spec.sources.map((source) => line('source', source)),
    line('events', eventsText(spec.wanted)),
    line('settle', timeText(spec.settleMs)),
    line('watch', spec.watchVia),
    line('poll', timeText(spec.pollMs)),
    ...schedules.map((schedule) => line('full resync', scheduleText(schedule))),
    line('resync options', joinWords(resyncOptions)),
    line('retry first', timeText(spec.backOff.firstMs)),
    line('retry most', timeText(spec.backOff.mostMs)),
    line('delete guard', `${spec.deleteGuard.maxPercent} %`),
    line('delete guard from', String(spec.deleteGuard.fromEntries)),
    line('most pending', String(spec.maxPending)),
    ...spec.targets.flatMap((target) => [
      `\n[target ${target.name}]\n`,
      line('to', target.dest),
      line('options', joinWords(target.options)),
      line('sessions', String(target.maxSessions)),
    ]),
    ...hooks.flatMap(printHook),
  ];
}

function printHook(hook: HookConfig): ByteString[] {
  return [
    `\n[hook ${hook.name}]\n`,
    ...printAction(hook),
    ...hook.match.map((pattern) => line('match', pattern.text)),
    ...hook.skip.map((pattern) => line('skip', pattern.text)),
    line('on', hook.on),
    ...hook.targets.map((name) => line('only target', name)),
    line('deletions', hook.deletions ? 'yes' : 'no'),
    line('queue', String(hook.queue)),
    line('retries', String(hook.retries)),
    line('hook retry first', timeText(hook.backOff.firstMs)),
    line('hook retry most', timeText(hook.backOff.mostMs)),
    line('timeout', timeText(hook.timeoutMs)),
  ];
}

function printAction({ action }: HookConfig): ByteString[] {
  switch (action.kind) {
    case 'command':
      return [line('command', action.command), line('separator', action.separator === '\0' ? 'nul' : 'newline')];
    case 'http':
      return [
        line('url', safeUrl(action.url)),
        line('header file', action.headerFile),
        line('base url', safeUrl(action.baseUrl)),
      ];
    case 'tcp':
      return [line('tcp', `${bracketed(action.host)}:${action.port}`)];
  }
}
