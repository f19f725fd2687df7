import fc from 'fast-check';
import t from 'tap';
import { wildmatch } from '../../protocol/filter/wildmatch.js';

const CASES: [boolean, string, string][] = [
  [true, 'foo', 'foo'],
  [false, 'foo', 'bar'],
  [true, '', ''],
  [true, '???', 'foo'],
  [false, '??', 'foo'],
  [true, '*', 'foo'],
  [true, 'f*', 'foo'],
  [false, '*f', 'foo'],
  [true, '*foo*', 'foo'],
  [true, '*ob*a*r*', 'foobar'],
  [true, '*ab', 'aaaaaaabababab'],
  [true, 'foo\\*', 'foo*'],
  [false, 'foo\\*bar', 'foobar'],
  [true, 'f\\\\oo', 'f\\oo'],
  [false, 'foo\\', 'foo\\'],
  [false, 'foo\\', 'foo'],
  [true, '*[al]?', 'ball'],
  [false, '[ten]', 'ten'],
  [true, '**[!te]', 'ten'],
  [true, 't[a-g]n', 'ten'],
  [false, 't[!a-g]n', 'ten'],
  [true, 't[^a-g]n', 'ton'],
  [true, 'a[]]b', 'a]b'],
  [true, 'a[]-]b', 'a-b'],
  [true, 'a[]a-]b', 'aab'],
  [false, 'a[]-]b', 'aab'],
  [true, ']', ']'],
  [true, 'foo*bar', 'foobazbar'],
  [false, 'foo*bar', 'foo/bar'],
  [true, 'foo**bar', 'foo/baz/bar'],
  [false, 'foo?bar', 'foo/bar'],
  [false, 'foo[/]bar', 'foo/bar'],
  [false, 'foo[^x]bar', 'foo/bar'],
  [true, 'foo/**', 'foo/bar/baz'],
  [false, 'foo/**', 'foo'],
  [false, 'a/**/b', 'a/b'],
  [true, 'a/**/b', 'a/x/y/b'],
  [true, '**/foo', '/foo'],
  [false, '**/foo', 'foo'],
  [true, '**/bar*', 'deep/foo/bar/baz/bar'],
  [false, '**/bar*', 'deep/foo/bar/baz'],
  [true, '**/bar**', 'deep/foo/bar/baz'],
  [true, 'foo/*/*', 'foo/bar/baz'],
  [false, 'foo/*', 'foo/bar/baz'],
  [true, '***', 'any/thing'],
  [true, 'dir/***', 'dir/'],
  [true, '[a-c]b*', 'abc'],
  [true, '[\\-_]', '-'],
  [true, '[\\]]', ']'],
  [true, '[!]a-]', 'b'],
  [false, '[!]a-]', ']'],
  [true, '[[:digit:][:upper:]]', 'A'],
  [false, '[[:digit:][:upper:]]', 'a'],
  [true, '[[:xdigit:]]', 'f'],
  [false, '[[:nope:]]', 'n'],
  [true, '[[:digit]', 'd'],
  [true, '[a-\\c]', 'b'],
  [true, '[a-]', '-'],
  [false, '[a-z', 'b'],
  [false, '[', '['],
  [true, '[[]', '['],
  [true, '[!a]*', 'b'],
  [true, '[\xe0-\xef]', '\xe9'],
  [false, '[[:alpha:]]', '\xe9'],
  [true, '*/*/*', 'a/b/c'],
  [false, '*/*/*', 'a/b'],
  [true, '**a*b', 'x/a/ab'],
  [false, '*a/b', 'xa/a/b'],
];

t.test('patterns and texts', (t) => {
  for (const [expected, pattern, text] of CASES) t.equal(wildmatch(pattern, text), expected, `${pattern} ~ ${text}`);
  t.equal(wildmatch('b?', 'aabc', 2), true, 'from an offset on');
  t.end();
});

/** The obvious way: every star tries everything. Classes are left out. */
function naive(p: string, s: string): boolean {
  if (p === '') return s === '';
  if (p[0] === '*') {
    const run = /^\*+/.exec(p) as RegExpExecArray;
    const rest = p.slice(run[0].length);
    for (let i = 0; i <= s.length; i++) {
      if (naive(rest, s.slice(i))) return true;
      if (run[0].length === 1 && s[i] === '/') return false;
    }
    return false;
  }
  if (s === '') return false;
  if (p[0] === '?') return s[0] !== '/' && naive(p.slice(1), s.slice(1));
  if (p[0] === '\\') return p.length > 1 && p[1] === s[0] && naive(p.slice(2), s.slice(1));
  return p[0] === s[0] && naive(p.slice(1), s.slice(1));
}

t.test('agrees with trying everything', (t) => {
  const pattern = fc.array(fc.constantFrom('a', 'b', '/', '*', '**', '?', '\\a', '\\*'), { maxLength: 9 });
  const text = fc.array(fc.constantFrom('a', 'b', '/', '*'), { maxLength: 10 });
  fc.assert(
    fc.property(pattern, text, (p, s) => wildmatch(p.join(''), s.join('')) === naive(p.join(''), s.join(''))),
    { numRuns: 20000, seed: 7 },
  );
  t.end();
});

t.test('many stars against a text that nearly matches take no exponential time', (t) => {
  const text = 'a'.repeat(255);
  const before = process.cpuUsage().user;
  t.equal(wildmatch(`${'a*'.repeat(60)}b`, text), false);
  t.equal(wildmatch(`${'a**'.repeat(60)}b`, `${text}/${text}`), false);
  t.equal(wildmatch(`${'**a*'.repeat(60)}b`, `${text}/${text}/${text}`), false);
  t.ok(process.cpuUsage().user - before < 2_000_000);
  t.end();
});
