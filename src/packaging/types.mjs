// Writes dist/types: the declarations of the library, and of what these name; nothing else of the program. By itself, or
// for `node build.mjs --types`.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const ENTRY = 'src/index';

/** All declarations of the program, by their path without the ending. */
function declarations() {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config;
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const emit = { ...options, declaration: true, emitDeclarationOnly: true, incremental: false, outDir: root };
  const program = ts.createProgram([join(root, `${ENTRY}.ts`)], { ...emit, tsBuildInfoFile: undefined });
  const texts = new Map();
  const written = program.emit(undefined, (path, text) => {
    texts.set(relative(root, path).replace(/\.d\.ts$/, ''), text);
  });
  const problems = [...ts.getPreEmitDiagnostics(program), ...written.diagnostics];
  for (const problem of problems) console.error(ts.flattenDiagnosticMessageText(problem.messageText, '\n'));
  if (problems.length > 0) throw new Error('the declarations could not be made');
  return texts;
}

/** Those that the entry names, and those that these name. */
function needed(texts) {
  const found = new Set([ENTRY]);
  for (const name of found) {
    for (const [, path] of texts.get(name).matchAll(/['"](\.[^'"]*)\.js['"]/g)) found.add(join(dirname(name), path));
  }
  return found;
}

export function writeTypes() {
  const dir = join(root, 'dist/types');
  const texts = declarations();
  rmSync(dir, { recursive: true, force: true });
  for (const name of needed(texts)) {
    const path = join(dir, `${name}.d.ts`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, texts.get(name));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeTypes();
