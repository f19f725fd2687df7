import t from 'tap';
import { isUnsafeLink } from '../../src/files/unsafe-link.js';
import { parseArgument } from '../../src/sending/scan/argument.js';

t.test('arguments taken apart', (t) => {
  const plain = (arg: string) => {
    const { dir, name, kind } = parseArgument(arg, false);
    return [dir, name, kind];
  };
  t.same(plain('a/b'), ['a', 'b', 0]);
  t.same(plain('/'), ['/', '.', 2]);
  t.same(plain('/x'), ['/', 'x', 0]);
  t.same(plain(''), [null, '.', 2]);
  t.same(plain('..'), ['..', '.', 2]);
  t.same(plain('a/..'), ['a/..', '.', 2]);
  t.same(plain('a/.'), ['a', '.', 2]);
  t.same(plain('a//b'), ['a/', 'b', 0]);
  t.same(plain('a.'), [null, 'a.', 0]);
  t.same(plain('...'), [null, '...', 0]);
  const relative = (arg: string) => {
    const { dir, name, kind, impliedDot } = parseArgument(arg, true);
    return [dir, name, kind, impliedDot];
  };
  t.same(relative('a//b/./c/'), ['a/b', 'c', 1, false]);
  t.same(relative('/./x'), ['/', 'x', 0, false]);
  t.same(relative('a/./'), ['a', '.', 2, false]);
  t.same(relative('/'), [null, '/.', 2, false]);
  t.same(relative('./a/b'), [null, 'a/b', 0, true]);
  t.same(relative('.'), [null, '.', 2, false]);
  t.same(relative('/a/b/.'), [null, '/a/b', 1, false]);
  const unsafe = (target: string, link: string) => isUnsafeLink(target, link);
  t.same(
    ['/x', '', '../x', '../../x', 'a/../b', '../..', './../x'].map((target) => unsafe(target, 'd/l')),
    [true, true, false, true, true, true, true],
  );
  t.same(
    ['a', '..', 'a/b'].map((target) => unsafe(target, 'l')),
    [false, true, false],
  );
  t.equal(unsafe('..', 'd/l'), false);
  t.end();
});
