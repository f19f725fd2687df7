// `npm start`: installs and builds what is missing, then shows a whole round with a daemon of its own.
// `npm start -- SRC... DEST`: copies the user's own folders (any tsrsync arguments do).
import { build, installPackages } from '../../test/prepare.mjs';

installPackages();
build();
const { copyOwn, demonstrate } = await import('./demo.mjs');
const args = process.argv.slice(2);
process.exitCode = args.length > 0 ? await copyOwn(args) : await demonstrate();
