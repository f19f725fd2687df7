import yargs from 'yargs';
import type { ByteString } from '../../protocol/options.js';
import { ConfigError } from './config/lines.js';
import { importText } from './import/import.js';
import { defaultSocket, loadConfig, readConfigText } from './load.js';
import { askControl, askStatus } from './remote.js';
import type { ControlCommand } from './status/types.js';
import { statusTable } from './table.js';
import { VERSION } from './version.js';

const CONTROL: Readonly<Record<ControlCommand, string>> = {
  pause: 'hold a sync or target; changes are kept',
  resume: 'go on with it',
  resync: 'compare everything now',
};

interface SocketArguments {
  socket?: string;
  config?: string;
}

/** Runs a command line (without node and script) and returns its exit code. */
export async function runLiveCommand(argv: ByteString[]): Promise<number> {
  const result = { code: 0 };
  const parser = commandLine(argv, (code) => {
    result.code = code;
  });
  try {
    await parser.parseAsync();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (!(error instanceof ConfigError) && !isForUser(error)) throw error;
    process.stderr.write(Buffer.from(`${error.message}\n`, 'latin1'));
    return 1;
  }
  return result.code;
}

/** An error of the command line or of a running service; anything else is a fault of the program. */
function isForUser(error: Error): boolean {
  return error.name === 'YError' || error.constructor === Error;
}

type Parser = ReturnType<typeof yargs>;

function commandLine(argv: ByteString[], finish: (code: number) => void): Parser {
  const cli = yargs(argv)
    .scriptName('tsrsync-live')
    .locale('en')
    .version(VERSION)
    .help()
    .alias('help', 'h')
    .parserConfiguration({ 'parse-numbers': false, 'duplicate-arguments-array': false })
    .option('config', { alias: 'c', type: 'string', requiresArg: true, describe: 'configuration file' })
    .strict()
    .exitProcess(false)
    .fail((message, error, parser) => {
      throw error ?? new Error(`${message}\n\n${usageOf(parser)}`);
    })
    .wrap(100);
  addRun(cli, argv, finish);
  addImport(cli);
  addStatus(cli);
  for (const name of Object.keys(CONTROL)) addControl(cli, name as ControlCommand);
  return cli;
}

function addRun(cli: Parser, argv: ByteString[], finish: (code: number) => void): void {
  cli.command(
    '$0',
    'keep targets equal to their sources, as the configuration says',
    (y) =>
      y
        .option('check', { type: 'boolean', describe: 'validate, print what is in effect, and exit' })
        .option('once', { type: 'boolean', describe: 'bring every target in step once, and exit' })
        .option('detach', { alias: 'd', type: 'boolean', describe: 'go to the background' })
        .demandOption('config', 'a configuration is needed: -c FILE'),
    async (args) => {
      const { run } = await import('./run.js');
      const { check = false, once = false, detach = false } = args;
      finish(await run({ config: args.config as string, check, once, detach, argv }));
    },
  );
}

function addImport(cli: Parser): void {
  cli.command(
    'import <file>',
    'print the configuration that does what a sersync confxml.xml or an lsyncd configuration does',
    (y) => y.positional('file', { type: 'string', demandOption: true }),
    async (args) => {
      const { text } = await importText(readConfigText(args.file), args.file);
      process.stdout.write(Buffer.from(text, 'latin1'));
    },
  );
}

function addStatus(cli: Parser): void {
  cli.command(
    'status',
    'show the state of a running service',
    (y) => withSocket(y).option('json', { type: 'boolean', describe: 'all of it, as JSON' }),
    async (args) => {
      const status = await askStatus(await socketOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(status, null, 2)}\n` : statusTable(status));
    },
  );
}

function addControl(cli: Parser, name: ControlCommand): void {
  cli.command(
    `${name} [sync] [target]`,
    CONTROL[name],
    (y) => withSocket(y).positional('sync', { type: 'string' }).positional('target', { type: 'string' }),
    async (args) => askControl(await socketOf(args), name, args.sync, args.target),
  );
}

function withSocket(y: Parser) {
  return y.option('socket', { type: 'string', requiresArg: true, describe: 'status socket of the service' });
}

function usageOf(parser: Parser): string {
  let text = '';
  parser.showHelp((shown: string) => {
    text = shown;
  });
  return text;
}

/** The socket that is named, that the configuration names, or the usual one. */
async function socketOf({ socket, config }: SocketArguments): Promise<ByteString> {
  if (socket !== undefined) return socket;
  if (config === undefined) return defaultSocket();
  const path = (await loadConfig(config)).socket;
  if (path === '') throw new Error(`${config} has no status socket`);
  return path;
}
