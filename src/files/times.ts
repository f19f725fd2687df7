/**
 * True when two times count as the same: to the nanosecond when `window` is negative, else when they are at most
 * `window` whole seconds apart; nanoseconds say nothing then.
 */
export function sameTime(a: number, aNsec: number, b: number, bNsec: number, window: number): boolean {
  if (window < 0) return a === b && aNsec === bNsec;
  return Math.abs(a - b) <= window;
}
