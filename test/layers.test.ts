import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { PROJECT } from './lib/project.js';

/**
 * Who may import whom: a file may import from its own layer's folder and from any layer below. Folders side by side do
 * not know each other. A key is a folder, or a single file that belongs elsewhere than its folder.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['protocol'],
  ['src/libc'],
  ['src/transport', 'src/report', 'src/client/target.ts'],
  ['src/codec', 'src/files'],
  ['src/watch'],
  ['src/session'],
  ['src/sending', 'src/receiving'],
  ['src/transfer'],
  ['src/cli'],
  ['src/client', 'src/daemon'],
  ['src/live'],
  ['src/live-service', 'src/inotify-tools'],
  ['src/command', 'src/api'],
  ['src/main.ts', 'src/index.ts', 'src/demo'],
];

/** The only things from outside that protocol/ may use: they compute, and touch nothing. */
const PURE_PACKAGES = new Set(['node:crypto', 'node:buffer', 'hash-wasm', 'xxhash-wasm']);
const IMPURE_GLOBALS = new Set(
  'process setTimeout setInterval setImmediate queueMicrotask performance Date console fetch require'.split(' '),
);

interface SourceText {
  path: string;
  text: string;
}

/** The key of LAYERS that a file falls under (the longest that fits), with its height. */
function layerOf(path: string): { key: string; height: number } | null {
  let best: { key: string; height: number } | null = null;
  LAYERS.forEach((keys, height) => {
    for (const key of keys) {
      const fits = path === key || path.startsWith(`${key}/`);
      if (fits && (best === null || key.length > best.key.length)) best = { key, height };
    }
  });
  return best;
}

/** Every module that a source names: static, type-only, re-exported and dynamic imports. */
function importsOf(source: SourceText): string[] {
  return ts.preProcessFile(source.text, true, true).importedFiles.map((file) => file.fileName);
}

function checkImport(source: SourceText, target: string): string | null {
  const from = layerOf(source.path);
  if (from === null) return `${source.path} is in no layer`;
  if (!target.startsWith('.')) {
    const pure = from.key !== 'protocol' || PURE_PACKAGES.has(target);
    return pure ? null : `${source.path} imports ${target}, which is not pure`;
  }
  const path = normalize(join(dirname(source.path), target)).replace(/\.js$/, '.ts');
  const to = layerOf(path);
  if (to === null) return `${source.path} imports ${path}, which is in no layer`;
  if (to.key === from.key || to.height < from.height) return null;
  return `${source.path} (${from.key}) imports ${path} (${to.key})`;
}

/** Uses of clocks, timers and the process as plain identifiers. */
function impureGlobals(source: SourceText): string[] {
  const found: string[] = [];
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && IMPURE_GLOBALS.has(node.text) && isReference(node)) {
      found.push(`${source.path} uses ${node.text}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return !(
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isTypeReferenceNode(parent)
  );
}

function check(source: SourceText): string[] {
  const problems = importsOf(source).flatMap((target) => checkImport(source, target) ?? []);
  return source.path.startsWith('protocol/') ? [...problems, ...impureGlobals(source)] : problems;
}

/** The files that have to be loaded before a source is: neither for types only, nor later. */
function loadedFirst(source: SourceText): string[] {
  const { statements } = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
  return statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier: target } = statement;
    if (target === undefined || !ts.isStringLiteral(target) || !target.text.startsWith('.')) return [];
    if (isForTypes(statement)) return [];
    return normalize(join(dirname(source.path), target.text)).replace(/\.js$/, '.ts');
  });
}

function isForTypes(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly;
  const names = statement.importClause?.namedBindings;
  if (statement.importClause?.isTypeOnly) return true;
  return names !== undefined && ts.isNamedImports(names) && names.elements.every((element) => element.isTypeOnly);
}

/** Files of the first round that is found in which each has to be loaded before the next one; none: there is no such round. */
function loadingRound(all: readonly SourceText[]): string[] {
  const before = new Map(all.map((source) => [source.path, loadedFirst(source)]));
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string): string[] => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return [];
    way.push(path);
    for (const next of before.get(path) ?? []) {
      const round = visit(next);
      if (round.length > 0) return round;
    }
    way.pop();
    done.add(path);
    return [];
  };
  for (const { path } of all) {
    const round = visit(path);
    if (round.length > 0) return round;
  }
  return [];
}

function sources(): SourceText[] {
  const paths = ['protocol', 'src'].flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  );
  return paths
    .filter((path) => path.endsWith('.ts') && !path.startsWith('protocol/kernel/assembly/'))
    .map((path) => ({ path, text: readFileSync(join(PROJECT, path), 'utf8') }));
}

t.test('imports point one way and protocol/ is pure', async (t) => {
  const all = sources();
  t.ok(all.length > 30, `${all.length} sources were read`);
  t.same(all.flatMap(check), []);
});

t.test('no file has to be loaded before itself', async (t) => {
  t.same(loadingRound(sources()), []);
  const round = loadingRound([
    { path: 'src/a.ts', text: "import { b } from './b.js';" },
    { path: 'src/b.ts', text: "import type { A } from './a.js'; export { c } from './c.js';" },
    { path: 'src/c.ts', text: "import { type B, b } from './b.js';" },
  ]);
  t.same(round, ['src/b.ts', 'src/c.ts', 'src/b.ts']);
});

t.test('the check catches what it is there for', async (t) => {
  const bad: [string, string][] = [
    ['protocol/a.ts', "import { readFileSync } from 'node:fs';"],
    ['protocol/a.ts', "import type { Socket } from 'node:net';"],
    ['protocol/a.ts', "import { x } from '../src/files/root.js';"],
    ['protocol/a/b.ts', 'export const now = () => Date.now();'],
    ['protocol/a.ts', 'setTimeout(() => {}, 5);'],
    ['protocol/a.ts', 'export const home = process.env.HOME;'],
    ['protocol/a.ts', "export const later = () => import('node:fs');"],
    ['src/files/a.ts', "import { Session } from '../session/session.js';"],
    ['src/files/a.ts', "export { Session } from '../session/session.js';"],
    ['src/sending/a.ts', "import type { X } from '../receiving/x.js';"],
    ['src/session/a.ts', "export const later = () => import('../daemon/server.js');"],
    ['src/client/a.ts', "import { serve } from '../daemon/server.js';"],
    ['src/elsewhere/a.ts', "import { serve } from '../daemon/server.js';"],
  ];
  for (const [path, text] of bad) t.equal(check({ path, text }).length, 1, `${path}: ${text}`);
});

t.test('and leaves alone what is allowed', async (t) => {
  const good: [string, string][] = [
    ['protocol/a.ts', "import { createHash } from 'node:crypto'; import { b } from './bytes/b.js';"],
    ['protocol/a.ts', 'export interface Clock { process: number; Date: string } export const x = { console: 1 };'],
    ['src/session/a.ts', "import { openSync } from 'node:fs'; import { Root } from '../files/root.js';"],
    ['src/main.ts', "import { runDaemon } from './daemon/server.js';"],
  ];
  for (const [path, text] of good) t.same(check({ path, text }), [], `${path}: ${text}`);
});
