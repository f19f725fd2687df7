import { Cron } from 'croner';
import type { ByteString } from '../../../protocol/options.js';
import { Change } from '../../watch/changes.js';
import type { Schedule } from './types.js';

/** Turns the text of a value into what it means; throws an Error that says what is allowed. */
export type Parse<T> = (text: ByteString) => T;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A timer of Node holds no more milliseconds than this. */
const LONGEST_MS = 2 ** 31 - 1;

/** `500 ms`, `2 s`, `10 min`, `1 h`, `1 d`; seconds without a unit. Returns milliseconds. */
export const time: Parse<number> = (text) => {
  const m = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = m && (m[2] === '' ? 1000 : UNITS[m[2].toLowerCase()]);
  if (m === null || !unit) throw new Error(`not a time: ${text} (allowed: 500 ms, 2 s, 10 min, 1 h, 1 d)`);
  const ms = Math.round(Number(m[1]) * unit);
  if (ms > LONGEST_MS) throw new Error(`too long: ${text} (at most 24 d)`);
  return ms;
};

export function positiveTime(text: ByteString): number {
  const ms = time(text);
  if (ms === 0) throw new Error('must be more than 0');
  return ms;
}

export function wholeNumber(least: number, most: number): Parse<number> {
  return (text) => {
    const n = /^\d{1,9}$/.test(text) ? Number(text) : -1;
    if (n < least || n > most) throw new Error(`not a number from ${least} to ${most}: ${text}`);
    return n;
  };
}

export const percent: Parse<number> = (text) => wholeNumber(0, 100)(text.replace(/\s*%$/, ''));

export const yesNo: Parse<boolean> = (text) => {
  if (/^(yes|true|on|1)$/i.test(text)) return true;
  if (/^(no|false|off|0)$/i.test(text)) return false;
  throw new Error(`not a yes or no: ${text}`);
};

export function oneOf<T extends string>(...words: readonly T[]): Parse<T> {
  return (text) => {
    const word = words.find((w) => w === text.toLowerCase());
    if (word === undefined) throw new Error(`not one of ${words.join(', ')}: ${text}`);
    return word;
  };
}

export const nonEmpty: Parse<ByteString> = (text) => {
  if (text === '') throw new Error('must not be empty');
  return text;
};

/** Bits of each word of `events`. */
export const EVENT_BITS: Readonly<Record<string, Change>> = {
  write: Change.WRITTEN,
  modify: Change.MODIFIED,
  create: Change.MADE,
  delete: Change.REMOVED,
  move: Change.MADE | Change.REMOVED,
  attributes: Change.ATTRIBUTES,
};

/** Words parted by spaces or commas; returns Change bits. */
export const events: Parse<Change> = (text) => {
  let bits: Change = 0;
  for (const word of text.toLowerCase().split(/[\s,]+/)) {
    const bit = EVENT_BITS[word];
    if (bit === undefined) throw new Error(`not an event: ${word} (allowed: ${Object.keys(EVENT_BITS).join(', ')})`);
    bits |= bit;
  }
  return bits;
};

/** `every 6 h`, `6 h`, or a cron expression of five fields, or of six that begin with seconds. */
export const schedule: Parse<Schedule> = (text) => {
  const every = /^(?:every\s+)?(\d.*[a-z]|\d+)$/i.exec(text);
  if (every) return { kind: 'every', ms: positiveTime(every[1]) };
  try {
    new Cron(text, { paused: true }).stop();
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : '';
    throw new Error(`not a schedule: ${text} (allowed: "every 6 h", or a cron expression as "30 3 * * *"): ${why}`);
  }
  return { kind: 'cron', pattern: text };
};

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

/** `9873` or `127.0.0.1:9873`: only this machine may reach it. */
export const loopbackAddress: Parse<{ host: string; port: number }> = (text) => {
  const m = /^(?:(.*):)?(\d{1,5})$/.exec(text);
  const host = m?.[1] ?? '127.0.0.1';
  if (m === null || !LOOPBACK.test(host) || Number(m[2]) > 65535) {
    throw new Error(`not a port of this machine: ${text} (allowed: 9873, 127.0.0.1:9873, [::1]:9873)`);
  }
  return { host: host.replace(/[[\]]/g, ''), port: Number(m[2]) };
};

/** `host:port`. */
export const hostAndPort: Parse<{ host: string; port: number }> = (text) => {
  const m = /^(.+):(\d{1,5})$/.exec(text);
  if (m === null || Number(m[2]) < 1 || Number(m[2]) > 65535) throw new Error(`not host:port: ${text}`);
  return { host: m[1].replace(/^\[(.*)\]$/, '$1'), port: Number(m[2]) };
};

export const httpUrl: Parse<string> = (text) => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new Error(`not an http or https address: ${text}`);
  }
  const { username, password } = new URL(text);
  if (username !== '' || password !== '') throw new Error('no login in the address: use "header file"');
  return text;
};
