import t from 'tap';
import { daemonPath, escapeOption, splitDaemonPaths, unescapeDaemonOption } from '../../protocol/handshake/escape.js';

t.test('words of a daemon', (test) => {
  test.equal(unescapeDaemonOption('--suffix=\\~\\$x\\\\'), '--suffix=~$x\\');
  test.equal(unescapeDaemonOption('x\\'), 'x\\');
  for (const text of ['~$x*?[b]\\', 'a b\n"\'', '\xff\\\\*'])
    test.equal(unescapeDaemonOption(escapeOption(text)), text);
  test.same(splitDaemonPaths(['m/a', 'm/', 'm', 'm//x', 'm/a m/b c m/d'], 'm'), ['a', '', '', 'x', 'a', 'b c', 'd']);
  test.same(splitDaemonPaths(['m/a m/b'], 'm', true), ['a m/b']);
  const o = { oldArgs: 0 };
  test.equal(daemonPath('m', 'm', o), 'm/');
  test.equal(daemonPath('m/a m/b', 'm', o), 'm/a[ ]m/b');
  test.equal(daemonPath('m/a m/b', 'm', { oldArgs: 1 }), 'm/a m/b');
  test.equal(daemonPath('-m/x', '-m', o), './-m/x');
  test.end();
});
