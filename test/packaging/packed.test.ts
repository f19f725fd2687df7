import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PROJECT } from '../lib/project.js';

/*
 * What somebody gets who installs the package: an empty project, the packed files in its node_modules, and nothing else of
 * this repository but Node's types, TypeScript and what the package depends on.
 */

interface Manifest {
  bin: Record<string, string>;
  dependencies?: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

const manifest: Manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));

function link(app: string, name: string): void {
  const from = join(PROJECT, 'node_modules', name);
  const to = join(app, 'node_modules', name);
  mkdirSync(join(to, '..'), { recursive: true });
  if (existsSync(from) && !existsSync(to)) symlinkSync(from, to);
}

/** Packs what is built, with the declarations, and unpacks it into a project of its own. */
function install(t: Test) {
  const dir = t.testdir({ app: { node_modules: { tsrsync: {} }, 'package.json': '{ "private": true }' } });
  const app = join(dir, 'app');
  execFileSync(process.execPath, ['src/packaging/types.mjs'], { cwd: PROJECT, stdio: 'inherit' });
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', dir];
  const [{ filename, files, size }] = JSON.parse(execFileSync('npm', pack, { cwd: PROJECT, encoding: 'utf8' }));
  execFileSync('tar', ['xzf', join(dir, filename), '--strip-components=1', '-C', join(app, 'node_modules/tsrsync')]);
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) link(app, name);
  link(app, '@types/node');
  return { app, size: size as number, paths: (files as { path: string }[]).map((file) => file.path) };
}

function run(app: string, script: string, text: string): string {
  writeFileSync(join(app, script), text);
  return execFileSync(process.execPath, [script], { cwd: app, encoding: 'utf8' });
}

/** The examples of README.md's chapter for programmers. */
function recipes(): string {
  const readme = readFileSync(join(PROJECT, 'README.md'), 'utf8');
  return [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).join('\n');
}

t.test('the packed package', async (t) => {
  const { app, paths, size } = install(t);

  t.test('has what runs, its types and the licences, and nothing else', async (t) => {
    const expected =
      /^(package\.json|README\.md|LICENSE|dist\/(package\.json|index\.mjs|iconv\.cjs|licences\.txt|live-page\.html|types\/.*\.d\.ts|[\w-]+\.bundle\.cjs(\.\w+\.cache)?|(worker|ts[\w-]+)\.js))$/;
    t.same(
      paths.filter((path) => !expected.test(path)),
      [],
    );
    for (const path of ['README.md', 'LICENSE', 'dist/licences.txt', 'dist/index.mjs'])
      t.ok(paths.includes(path), path);
    t.ok(size < 5e6, `${size} bytes`);
    const licences = readFileSync(join(app, 'node_modules/tsrsync/dist/licences.txt'), 'utf8');
    for (const name of ['yargs', 'hash-wasm', 'fengari'])
      t.match(licences, new RegExp(`^${name} [0-9.]+ \\(MIT\\)$`, 'm'));
  });

  t.test('its commands run', async (t) => {
    for (const [name, path] of Object.entries(manifest.bin)) {
      const command = join(app, 'node_modules/tsrsync', path);
      t.ok(statSync(command).mode & 0o100, `${name} is executable`);
      const { status, stdout } = spawnSync(command, ['--help'], { encoding: 'utf8' });
      t.equal(status, 0, name);
      t.match(stdout, name);
    }
  });

  t.test('is imported and required', async (t) => {
    const work = "push('package.json', 'copy/', { options: ['-a'] }).then(({ exitCode }) => console.log(exitCode));";
    t.equal(run(app, 'import.mjs', `import { push } from 'tsrsync';\n${work}`), '0\n');
    t.equal(run(app, 'require.cjs', `const { push } = require('tsrsync');\n${work}`), '0\n');
  });

  t.test('its types hold without those of this project, and the examples of the README with them', async (t) => {
    writeFileSync(join(app, 'recipes.mts'), recipes());
    const settings = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--lib',
      'es2022',
      '--skipLibCheck',
      'false',
      '--types',
      'node',
    ];
    for (const [module, resolution] of [
      ['node16', 'node16'],
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
      const args = [tsc, ...settings, '--module', module, '--moduleResolution', resolution, 'recipes.mts'];
      const { status, stdout } = spawnSync(process.execPath, args, { cwd: app, encoding: 'utf8' });
      t.equal(status, 0, `${resolution}: ${stdout}`);
    }
  });
});
