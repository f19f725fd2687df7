import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { IdMap } from '../../src/files/ids.js';
import { groupId, groupName, userId, userName } from '../../src/files/names.js';
import { cleanEnv } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;
const none = new Map<number, string>();
const NOBODY = { users: none, groups: none, id0Names: true };
const options = { owner: true, group: true, numericIds: false, usermap: '', groupmap: '' };

t.test('local names and numbers', (t) => {
  t.equal(userName(0), 'root');
  t.equal(userId('nobody'), 65534);
  t.equal(groupName(0), 'root');
  t.equal(groupId('root'), 0);
  t.equal(userName(3_999_999_999), null);
  t.equal(userName(3_999_999_999), null, 'asked twice');
  t.equal(userId('no such user'), null);
  t.equal(groupId(''), null);
  t.equal(userId('a\0b'), null);
  t.end();
});

t.test('a peer’s names decide, then its numbers', (t) => {
  const users = new Map([
    [500, 'daemon'],
    [501, 'no such user'],
    [0, 'daemon'],
  ]);
  const map = new IdMap(options, true, { users, groups: none, id0Names: true });
  t.equal(map.uid(500), userId('daemon'));
  t.equal(map.uid(500), userId('daemon'), 'and again');
  t.equal(map.uid(501), 501);
  t.equal(map.uid(7), 7);
  t.equal(map.uid(0), 0, 'root is never mapped by name');
  const numeric = new IdMap({ ...options, numericIds: true }, true, { users, groups: none, id0Names: true });
  t.equal(numeric.uid(500), 500);
  t.end();
});

t.test('without root only groups of this process are set', (t) => {
  const own = process.getegid?.() ?? -1;
  const map = new IdMap(options, false, {
    users: none,
    groups: new Map([[900, groupName(own) ?? '']]),
    id0Names: true,
  });
  t.ok(map.maySetGroup(own));
  t.notOk(map.maySetGroup(54321));
  t.ok(map.maySetGroup(900), 'by name');
  t.equal(map.uid(500), 500);
  t.end();
});

t.test(
  '--usermap and --groupmap as rsync reads them',
  { skip: isRoot ? false : 'giving files away needs root' },
  (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'src'));
    const ids = [0, 1, 2, 100, 200, 205, 999, 65534, 54321];
    for (const id of ids) {
      writeFileSync(join(dir, `src/${id}`), '');
      chownSync(join(dir, `src/${id}`), id, id);
    }
    const users = new Map<number, string>();
    const groups = new Map<number, string>();
    for (const id of ids) {
      const [user, group] = [userName(id), groupName(id)];
      if (user !== null) users.set(id, user);
      if (group !== null) groups.set(id, group);
    }
    const maps = [
      '*:bin',
      '200-210:77,100:daemon',
      'daemon:5,no*:6,*:7',
      '0:1,root:2',
      'root:9',
      '[a-c]*:11',
      ':12',
      '*:13',
      '54321:0',
    ];
    for (const numericIds of [false, true]) {
      for (const text of maps) {
        const args = ['-og', `--usermap=${text}`, `--groupmap=${text}`, '-r', '--delete', `${dir}/src/`, `${dir}/out/`];
        if (numericIds) args.unshift('--numeric-ids');
        const done = spawnSync('rsync', args, { encoding: 'latin1', env: cleanEnv() });
        t.equal(done.status, 0, done.stderr);
        const map = new IdMap({ ...options, numericIds, usermap: text, groupmap: text }, true, {
          users,
          groups,
          id0Names: true,
        });
        for (const id of ids) {
          const st = statSync(join(dir, `out/${id}`));
          t.equal(map.uid(id), st.uid, `user ${id} with ${text}, numeric ${numericIds}`);
          t.equal(map.gid(id), st.gid, `group ${id} with ${text}, numeric ${numericIds}`);
        }
        spawnSync('rm', ['-rf', `${dir}/out`]);
      }
    }
    t.end();
  },
);

t.test('maps that cannot be read', (t) => {
  for (const text of ['a', 'a:', '1-:b', '1x:root', '99999999999:root', '1-2-3:root', 'a:1,b']) {
    const said = spawnSync('rsync', [`--usermap=${text}`, '/etc/hostname', '/tmp/'], {
      encoding: 'latin1',
      env: cleanEnv(),
    });
    t.equal(said.status, 1, `rsync refuses ${text}`);
    t.throws(
      () => new IdMap({ ...options, usermap: text }, true, NOBODY),
      { exitCode: 1, message: said.stderr.split('\n')[0] },
      text,
    );
  }
  const complaints: string[] = [];
  const map = new IdMap({ ...options, usermap: 'a:no such user' }, true, NOBODY, (text) => complaints.push(text));
  t.strictSame(complaints, ['Unknown --usermap name on receiver: no such user']);
  t.equal(map.uid(5), 5);
  t.end();
});
