// `npm run bench:live [-- ROW...]`: installs, builds and measures; see main.ts for what is printed and the settings.
import { build, compile, installPackages, installTools, MIRROR_TOOLS, show } from '../../test/prepare.mjs';

installPackages();
const why = installTools(MIRROR_TOOLS);
if (why !== '') console.log(why);
build();
compile();
process.exitCode = show(process.execPath, ['build/bench/live/main.js', ...process.argv.slice(2)]);
