// Names of unfinished files: ".NAME.XXXXXX", as in src/files/temp.ts.

const LONGEST: usize = 255 - 2 - 7;
const DRAWN: i32 = 6;
const DOT: u8 = 0x2e;

/** Clashes only cost another try: who creates a file keeps it from others. */
let random: u32 = 1;

export function seed(value: u32): void {
  random = value | 1;
}

function draw(): u32 {
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  return random;
}

function letter(n: u32): u8 {
  return <u8>(n < 26 ? 0x61 + n : n < 52 ? 0x41 + n - 26 : 0x30 + n - 52);
}

/** Writes a temporary name for the file name [name, name + length) to `to`, with a NUL behind it. */
export function nameTemp(name: usize, length: usize, to: usize): void {
  const isHidden = load<u8>(name) == DOT;
  const start = isHidden ? name + 1 : name;
  let end = name + length;
  if (end > start + LONGEST) {
    end = start + LONGEST;
    // Never half of a character.
    if (load<u8>(end) >= 0x80) while (end > start && load<u8>(end - 1) >= 0x80) end--;
  }
  if (end > start && load<u8>(end - 1) == DOT) end--;
  store<u8>(to++, DOT);
  memory.copy(to, start, end - start);
  to += end - start;
  store<u8>(to++, DOT);
  for (let i = 0, bits: u32 = 0; i < DRAWN; i++) {
    if (i % 3 == 0) bits = draw();
    store<u8>(to++, letter(bits % 62));
    bits /= 62;
  }
  store<u8>(to, 0);
}
