import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import t from 'tap';
import { errnoNumber, errnoText, strerror } from '../../src/report/errno.js';
import { localeOf } from '../../src/report/locale.js';
import * as m from '../../src/report/messages.js';
import { dateString, permString, timeString } from '../../src/report/times.js';

t.test('system errors have the words of the C library', async (t) => {
  for (const path of ['/nonexistent/x', '/etc/passwd/x']) {
    const told = execFileSync('sh', ['-c', `cat ${path} 2>&1 || true`], { env: { LC_ALL: 'C' } }).toString();
    try {
      fs.readFileSync(path);
      t.fail('it could be read');
    } catch (error) {
      t.ok(told.includes(strerror(errnoNumber(error))), told);
      t.match(errnoText(error), /^[A-Z][a-z ]+ \(\d+\)$/);
    }
  }
  for (const [code, number] of Object.entries(os.constants.errno)) {
    t.equal(errnoNumber({ code }), number);
    t.not(strerror(number), `Unknown error ${number}`, code);
  }
  t.equal(errnoText(-111), 'Connection refused (111)');
  t.equal(errnoText({ errno: -13 }), 'Permission denied (13)');
  t.equal(errnoText(999), 'Unknown error 999 (999)');
  t.equal(
    errnoText(Object.assign(new Error('getaddrinfo ENOTFOUND x'), { code: 'ENOTFOUND', errno: -3008 })),
    'getaddrinfo ENOTFOUND x',
  );
});

t.test('the locale decides about characters and digits', async (t) => {
  t.equal(localeOf({}).utf8, false);
  t.equal(localeOf({ LANG: 'C.UTF-8' }).utf8, true);
  t.equal(localeOf({ LANG: 'C.utf8' }).utf8, true);
  t.equal(localeOf({ LANG: 'C.UTF-8', LC_CTYPE: 'C' }).utf8, false);
  t.equal(localeOf({ LANG: 'C', LC_ALL: 'C.UTF-8', LC_CTYPE: 'C' }).utf8, true);
  t.equal(localeOf({ LANG: 'C.UTF-8', LC_ALL: '' }).utf8, true);
  t.equal(localeOf({ LANG: 'xx_NOWHERE.UTF-8' }).utf8, false, 'a locale that is not installed is C');
  t.equal(localeOf({ LANG: '../../etc.UTF-8' }).utf8, false);
  t.equal(localeOf({ LANG: 'POSIX' }).groupSeparator, ',');
  const german = fs.existsSync('/usr/lib/locale/de_DE.utf8');
  t.equal(localeOf({ LC_NUMERIC: 'de_DE.UTF-8' }).decimalPoint, german ? ',' : '.');
});

t.test('times and modes', async (t) => {
  process.env.TZ = 'UTC';
  t.equal(timeString(0), '1970/01/01 00:00:00');
  t.equal(timeString(Number.MAX_SAFE_INTEGER), '(time out of range)');
  t.equal(dateString(new Date(Date.UTC(2026, 10, 21, 6, 24, 0))), '2026/11/21 06:24:00');
  t.equal(permString(0o107755), '-rwsr-sr-t');
  t.equal(permString(0o040000), 'd---------');
});

t.test('sentences', async (t) => {
  t.equal(m.fullName('x', '/dir'), '"/dir/x"');
  t.equal(m.fullName('x', '/', 'mod'), '"/x" (in mod)');
  t.equal(m.fullName('/abs', '/dir'), '"/abs"');
  t.equal(m.createdPath(1, 'a/'), 'created 1 directory for a/\n');
  t.equal(m.createdPath(2, 'a/b'), 'created 2 directories for a/b\n');
  t.equal(m.exists('f', 'uptodate'), 'f exists (uptodate)\n');
  t.equal(m.exists('f'), 'f exists\n');
  t.equal(
    m.failedVerification('f', 'discarded', true),
    'WARNING: f failed verification -- update discarded (will try again).\n',
  );
  t.equal(m.failedVerification('f', 'retained', false), 'ERROR: f failed verification -- update retained.\n');
  t.equal(m.vanished('"/x"'), 'file has vanished: "/x"\n');
  t.equal(m.vanished('"/x"', true), 'directory has vanished: "/x"\n');
  const shown = m.commandLine('opening connection using:', ['ssh', 'h', 'a b', "it's", 'e.iLsfxCIvu']);
  t.equal(shown, `opening connection using: ssh h "a b" "it's" e.iLsfxCIvu  (5 args)\n`);
});
