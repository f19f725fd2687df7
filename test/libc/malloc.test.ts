import { execFileSync } from 'node:child_process';
import t from 'tap';
import { hasLibc } from '../../src/libc/libc.js';

/** KiB by which the main arena stays longer after 8 MiB of small pieces were taken and freed. */
function kept(keepsLittle: boolean): number {
  const module = (name: string) => JSON.stringify(new URL(`../../src/libc/${name}.js`, import.meta.url).href);
  const program = `
    import { bind, hasLibc } from ${module('libc')};
    import { keepLittleFree } from ${module('malloc')};
    hasLibc();
    const [malloc, free] = [bind('uintptr_t malloc(size_t size)'), bind('void free(uintptr_t place)')];
    const sbrk = bind('intptr_t sbrk(intptr_t change)');
    // The C library takes the size of what is freed for usual.
    free(malloc(16 << 20));
    if (${keepsLittle}) keepLittleFree();
    const places = Array.from({ length: 128 }, () => 0);
    const before = Number(sbrk(0));
    for (let i = 0; i < places.length; i++) places[i] = malloc(64 << 10);
    for (const place of places) free(place);
    console.log((Number(sbrk(0)) - before) >> 10);
  `;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'latin1' }));
}

const { glibcVersionRuntime } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header;
const skip = !(hasLibc() && glibcVersionRuntime) && 'needs koffi and glibc';

t.test('what lies free at the end of an arena is given back', { skip }, async (t) => {
  const usual = kept(false);
  t.ok(usual > 4096, `${usual} KiB stay by themselves`);
  const little = kept(true);
  t.ok(little <= 1024, `${little} KiB`);
});
