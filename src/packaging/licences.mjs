// The licences of the packages that are part of the bundles, as these ask for.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of the packages that files of a build come from: `node_modules/x`, `node_modules/@y/z`. */
function packagesOf(inputs) {
  const found = new Set();
  for (const path of inputs) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path.replace(/^slim:/, ''));
    if (folder !== null) found.add(folder[0]);
  }
  return [...found].sort();
}

function licenceOf(dir) {
  const { name, version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  const file = readdirSync(dir).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined || !existsSync(join(dir, file)) ? '' : readFileSync(join(dir, file), 'utf8').trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
}

/** One text of all of them. `inputs`: the paths, relative to `root`, of all files that were bundled. */
export function licenceText(root, inputs) {
  const parts = packagesOf(inputs).map((folder) => licenceOf(join(root, folder)));
  return `The bundles of tsrsync contain the packages below.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
