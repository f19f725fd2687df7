import { XMLParser, XMLValidator } from 'fast-xml-parser';
import type { ByteString } from '../../../protocol/options.js';
import { at, ConfigError } from '../config/lines.js';
import { joinWords, splitWords } from '../config/words.js';
import { attribute, child, children, type Element, isOn } from './elements.js';
import { contentOf, IniWriter } from './ini-writer.js';
import { regexToPattern } from './sersync-filter.js';
import { writePlugins } from './sersync-plugins.js';

/** Translates a sersync confxml.xml. Throws ConfigError when it is no such file. */
export function importSersync(text: ByteString, file: string): ByteString {
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw new ConfigError([at({ file, line: valid.err.line }, valid.err.msg)]);
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseAttributeValue: false,
    parseTagValue: false,
    isArray: (_name, _path, _leaf, isAttribute) => !isAttribute,
  });
  const document = parser.parse(text) as Element;
  const head = child(document, 'head');
  const sersync = child(head, 'sersync');
  const places = children(sersync, 'localpath');
  if (places.length === 0) throw new ConfigError([`${file}: no <sersync> with a <localpath>: not a sersync file`]);
  const out = new IniWriter();
  out.comment(`From the sersync configuration ${file}`);
  writeGeneral(out, head, sersync);
  for (const place of places) writeSync(out, head, sersync, place);
  return out.text;
}

function writeGeneral(out: IniWriter, head: Element | undefined, sersync: Element | undefined): void {
  if (attribute(child(head, 'host'), 'port') !== '') {
    out.comment('<host> has no equivalent: nothing listens; see "status socket" and "http".');
  }
  if (isOn(child(head, 'debug'))) out.comment('<debug> has no equivalent: the log tells every change of state.');
  if (attribute(child(head, 'fileSystem'), 'xfs') === 'true') {
    out.comment(
      '<fileSystem xfs> is not needed: new directories are watched first and then listed on any file system.',
    );
  }
  const failLog = child(sersync, 'failLog');
  if (failLog !== undefined) {
    out.comment(`<failLog path="${attribute(failLog, 'path')}"> is not written: what fails is kept and tried again.`);
  }
}

/** Words of the command line that sersync would run, without source and destination. */
function rsyncOptions(head: Element | undefined, rsync: Element | undefined): ByteString[] {
  const params = splitWords(attribute(child(rsync, 'commonParams'), 'params') || '-artuz');
  const events = child(head, 'inotify');
  if (isOn(child(events, 'delete'), true)) params.push('--delete');
  const timeout = child(rsync, 'timeout');
  if (isOn(timeout)) params.push(`--timeout=${attribute(timeout, 'time')}`);
  return params;
}

function writeSync(out: IniWriter, head: Element | undefined, sersync: Element | undefined, place: Element): void {
  const rsync = child(sersync, 'rsync');
  const auth = child(rsync, 'auth');
  const shell = isOn(child(rsync, 'ssh'));
  const watch = attribute(place, 'watch');
  out.section('sync', out.name(watch, 'sync'));
  out.entry('source', contentOf(watch));
  for (const remote of children(place, 'remote')) {
    out.entry('target', `${attribute(remote, 'ip')}${shell ? ':' : '::'}${attribute(remote, 'name')}`);
  }
  out.entry('options', joinWords(rsyncOptions(head, rsync)));
  if (isOn(auth)) {
    if (attribute(auth, 'users') !== '') out.entry('user', attribute(auth, 'users'));
    if (shell) out.comment('the password file of <auth> has no meaning with <ssh>: ssh has keys.');
    else out.entry('password file', attribute(auth, 'passwordfile'));
  }
  const port = child(rsync, 'userDefinedPort');
  if (isOn(port)) out.entry('port', attribute(port, 'port'));
  writeFilter(out, child(head, 'filter'));
  writeEvents(out, child(head, 'inotify'));
  writeCrontab(out, child(sersync, 'crontab'));
  writePlugins(out, head, sersync, place);
}

function writeFilter(out: IniWriter, filter: Element | undefined): void {
  if (!isOn(filter)) return;
  for (const exclude of children(filter, 'exclude')) {
    const expression = attribute(exclude, 'expression');
    const pattern = regexToPattern(expression);
    if (pattern === null)
      out.comment(`no equivalent for the regular expression ${expression}: write an "exclude" for it.`);
    else {
      out.comment(`for the regular expression ${expression}:`);
      out.entry('exclude', pattern);
    }
  }
}

/** Names of the switches in <inotify>, the word for each, and what sersync takes when it is not there. */
const EVENTS: readonly (readonly [string, string, boolean])[] = [
  ['delete', 'delete', true],
  ['createFolder', 'create', true],
  ['createFile', 'create', false],
  ['closeWrite', 'write', true],
  ['moveFrom', 'delete', true],
  ['moveTo', 'create', true],
  ['attrib', 'attributes', false],
  ['modify', 'modify', false],
];

function writeEvents(out: IniWriter, inotify: Element | undefined): void {
  const words = EVENTS.filter(([name, , otherwise]) => isOn(child(inotify, name), otherwise)).map(([, word]) => word);
  out.entry('events', [...new Set(words)].join(' '));
  if (isOn(child(inotify, 'moveFrom'), true) && !isOn(child(inotify, 'delete'), true)) {
    out.comment('moveFrom without delete: without --delete nothing is removed from the targets, the old names stay.');
  }
}

function writeCrontab(out: IniWriter, crontab: Element | undefined): void {
  if (!isOn(crontab)) return;
  out.entry('full resync', `every ${attribute(crontab, 'schedule') || '600'} min`);
  const filter = child(crontab, 'crontabfilter');
  if (!isOn(filter)) return;
  for (const exclude of children(filter, 'exclude')) out.entry('resync exclude', attribute(exclude, 'expression'));
}
