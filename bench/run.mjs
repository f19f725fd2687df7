// `npm run bench [-- ROW...]`: installs, builds and measures; see main.ts for what is printed and the settings.
import { build, compile, installPackages, installTools, show } from '../test/prepare.mjs';

installPackages();
const why = installTools();
if (why !== '') console.log(why);
build();
compile();
process.exitCode = show(process.execPath, ['build/bench/main.js', ...process.argv.slice(2)]);
