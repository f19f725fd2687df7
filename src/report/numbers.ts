import { type Locale, locale } from './locale.js';

/** Levels of --human-readable: plain digits, grouped digits, units of 1000, units of 1024. */
export type HumanLevel = number;

const UNITS = 'KMGTP';

/** `value` with `decimals` digits behind the point, rounded like printf: an exact half goes to the even digit. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '-nan' : value > 0 ? 'inf' : '-inf';
  const scale = 10 ** decimals;
  // Only a multiple of 1/2^(decimals+1) can lie exactly in the middle; there toFixed() rounds away from zero.
  if (Number.isInteger(value * 2 ** (decimals + 1))) {
    const scaled = Math.abs(value) * scale;
    const below = Math.floor(scaled);
    if (scaled - below === 0.5) {
      const even = below % 2 === 0 ? below : below + 1;
      return (value < 0 ? '-' : '') + (even / scale).toFixed(decimals);
    }
  }
  return value.toFixed(decimals);
}

function localFixed(value: number, decimals: number, l: Locale): string {
  const text = fixed(value, decimals);
  return l.decimalPoint === '.' ? text : text.replace('.', l.decimalPoint);
}

function grouped(digits: string, separator: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, separator);
}

function integerText(n: number, level: HumanLevel, fraction: string, l: Locale): string {
  if (level > 1) {
    const base = level === 2 ? 1000 : 1024;
    let value = Math.abs(n) / base;
    if (value >= 1) {
      let unit = 0;
      while (value >= base && unit < UNITS.length - 1) {
        value /= base;
        unit++;
      }
      return localFixed(n < 0 ? -value : value, 2, l) + UNITS[unit];
    }
  }
  const digits = Math.abs(n).toFixed(0);
  return (n < 0 ? '-' : '') + (level > 0 ? grouped(digits, l.groupSeparator) : digits) + fraction;
}

/**
 * A number as -h asks for it: `1234`, `1,234`, `1.23K` (1000) or `1.21K` (1024). With `decimals` it is a rate or a
 * ratio, of which the digits behind the point are kept: `1,234.50`.
 */
export function humanNumber(n: number, level: HumanLevel, decimals?: number): string {
  const l = locale();
  if (decimals === undefined) return integerText(Math.trunc(n), level, '', l);
  const text = localFixed(n, decimals, l);
  if (level === 0 || !Number.isFinite(n) || Math.abs(n) < 1000) return text;
  return integerText(Math.trunc(n), level, text.slice(text.length - decimals - 1), l);
}

/** A count: grouped unless -h was switched off, never with a unit. */
export function commaNumber(n: number, level: HumanLevel, decimals?: number): string {
  return humanNumber(n, level > 0 ? 1 : 0, decimals);
}
