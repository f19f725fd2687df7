/** --stop-after and --stop-at. Times are seconds since 1970. */
import { usageError } from './option-values.js';

/** Minutes from now. */
export function parseStopAfter(text: string, now = Date.now() / 1000): number {
  const minutes = Number.parseInt(text, 10);
  if (!(minutes > 0 && minutes < 2 ** 52)) throw usageError(`invalid --stop-after value: ${text}`);
  return Math.floor(now) + minutes * 60;
}

/** Parts of a time; those that were not given are undefined. */
interface Given {
  year?: number;
  month?: number;
  day?: number;
  hour?: number;
  minute?: number;
}

/**
 * A moment in local time: `y-m-dTh:m`, where the date and its leading parts, or the time, may be missing: a missing
 * time is midnight, a missing date part is the next one that lies in the future. `/` may stand for `-`, a year may have
 * two digits, and `:30` is the next half hour.
 */
export function parseStopAt(text: string, now = Date.now() / 1000): number {
  const given = splitTime(text);
  const at = given === null ? null : nextMoment(given, now);
  if (at === null) throw usageError(`invalid --stop-at format: ${text}`);
  if (at <= now) throw usageError(`--stop-at time is not in the future: ${text}`);
  return at;
}

function splitTime(text: string): Given | null {
  const m = /^(?:(\d+(?:[-/]\d+){0,2})[Tt]?)?(?:(?:^|(?<=[Tt])|^[Tt])(\d*):(\d+))?$/.exec(text);
  if (m === null || text === '') return null;
  const given: Given = {};
  if (m[1] !== undefined) {
    const parts = m[1].split(/[-/]/).map(Number);
    given.day = parts.pop();
    given.month = parts.pop();
    given.year = parts.pop();
  }
  if (m[3] !== undefined) {
    given.minute = Number(m[3]);
    if (m[2] !== '') given.hour = Number(m[2]);
  }
  return given;
}

function nextMoment(given: Given, now: number): number | null {
  const today = new Date(now * 1000);
  const { day, month, hour, minute = 0 } = given;
  if ((hour ?? 0) > 23 || minute > 59 || (month !== undefined && (month < 1 || month > 12))) return null;
  if (day !== undefined && (day < 1 || day > 31)) return null;
  if (hour === undefined && given.minute !== undefined) {
    if (day !== undefined) return null;
    const at = new Date(today);
    at.setMinutes(minute, 0, 0);
    if (at.getTime() / 1000 <= now) at.setHours(at.getHours() + 1);
    return at.getTime() / 1000;
  }
  const year = given.year === undefined ? today.getFullYear() : fullYear(given.year, today.getFullYear());
  if (given.year !== undefined) return seconds(new Date(year, month! - 1, day, hour ?? 0, minute));
  // The smallest part that was left open steps on; a date that does not exist (31 February) is passed over. Eight
  // steps reach the next leap year.
  for (let step = 0; step <= 8; step++) {
    const at =
      month !== undefined
        ? new Date(year + step, month - 1, day, hour ?? 0, minute)
        : day !== undefined
          ? new Date(year, today.getMonth() + step, day, hour ?? 0, minute)
          : new Date(year, today.getMonth(), today.getDate() + step, hour ?? 0, minute);
    if ((day === undefined || at.getDate() === day) && seconds(at) > now) return seconds(at);
  }
  return null;
}

function fullYear(year: number, thisYear: number): number {
  if (year >= 100) return year;
  let full = 1900 + year;
  while (full < thisYear) full += 100;
  return full;
}

const seconds = (date: Date) => date.getTime() / 1000;
