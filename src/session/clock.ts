/** Milliseconds of a clock that only goes forward. Not `performance`, which takes 2 ms of a start to load. */
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
