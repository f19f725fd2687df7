import { quoteWord } from '../config/words.js';
import { attribute, child, children, type Element, isOn } from './elements.js';
import type { IniWriter } from './ini-writer.js';

/** Writes a hook for the plugin that is switched on; the others are told in a comment. */
export function writePlugins(
  out: IniWriter,
  head: Element | undefined,
  sersync: Element | undefined,
  place: Element,
): void {
  const active = children(sersync, 'plugin')
    .filter((plugin) => isOn(plugin))
    .map((plugin) => attribute(plugin, 'name'));
  for (const plugin of children(head, 'plugin')) {
    const name = attribute(plugin, 'name');
    if (!active.includes(name)) continue;
    if (name === 'command') writeCommand(out, plugin);
    else if (name === 'socket') writeSocket(out, plugin, attribute(place, 'watch'));
    else if (name === 'refreshCDN') writeRefresh(out, plugin, attribute(place, 'watch'));
    else out.comment(`the plugin "${name}" has no equivalent.`);
  }
}

/** Runs prefix, path and suffix as one command for each path. */
function writeCommand(out: IniWriter, plugin: Element): void {
  const param = child(plugin, 'param');
  out.section('hook', 'command');
  out.entry(
    'command',
    [attribute(param, 'prefix'), '{}', attribute(param, 'suffix')].filter((w) => w !== '').join(' '),
  );
  if (attribute(param, 'ignoreError').toLowerCase() === 'true') out.entry('retries', '0');
  const filter = child(plugin, 'filter');
  if (!isOn(filter)) return;
  // Both are regular expressions here.
  for (const include of children(filter, 'include')) out.entry('match', `/${attribute(include, 'expression')}/`);
  for (const exclude of children(filter, 'exclude')) out.entry('skip', `/${attribute(exclude, 'expression')}/`);
}

function noteOtherPath(out: IniWriter, plugin: Element, watch: string): Element | undefined {
  const local = child(plugin, 'localpath');
  const path = attribute(local, 'watch');
  if (path !== '' && path.replace(/\/+$/, '') !== watch.replace(/\/+$/, '')) {
    out.comment(`the plugin named ${path}; it is told of the changes of this sync (${watch}).`);
  }
  return local;
}

function writeSocket(out: IniWriter, plugin: Element, watch: string): void {
  out.section('hook', 'socket');
  const local = noteOtherPath(out, plugin, watch);
  const hosts = children(local, 'deshost');
  hosts.forEach((host, i) => {
    if (i > 0) out.section('hook', `socket-${i + 1}`);
    out.entry('tcp', `${attribute(host, 'ip')}:${attribute(host, 'port')}`);
  });
  out.comment('it gets lines "sent PATH" and "deleted PATH" between "batch ..." and "end".');
}

function writeRefresh(out: IniWriter, plugin: Element, watch: string): void {
  out.section('hook', 'refreshCDN');
  const local = noteOtherPath(out, plugin, watch);
  const info = child(local, 'cdninfo');
  const base = attribute(child(local, 'sendurl'), 'base');
  const port = attribute(info, 'port');
  out.entry('url', `http://${attribute(info, 'domainname')}${port === '' || port === '80' ? '' : `:${port}`}/`);
  if (base !== '') out.entry('base url', base);
  out.comment(
    'it gets JSON with the changed addresses in "urls"; a CDN with a form of its own needs a small script as',
  );
  out.comment('"command" in its place.');
  if (attribute(info, 'username') !== '') {
    out.comment(
      `the login of ${quoteWord(attribute(info, 'username'))} is not taken over: put it as "Authorization: ..." into a`,
    );
    out.comment('file with mode 600 and name that file with "header file".');
  }
  const regex = child(local, 'regexurl');
  if (attribute(regex, 'regex') === 'true')
    out.comment(`no equivalent for <regexurl match="${attribute(regex, 'match')}">.`);
}
