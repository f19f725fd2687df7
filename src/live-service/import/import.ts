import type { ByteString } from '../../../protocol/options.js';

export type ConfigKind = 'ini' | 'sersync' | 'lsyncd';

/** Tells by its content which program a configuration was written for. */
export function kindOfConfig(text: ByteString): ConfigKind {
  const body = text.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (/^<(\?xml|!--|head\b)/i.test(body)) return 'sersync';
  if (/^\s*\[\s*(sync|global)\b[^\]=]*\]\s*([#;].*)?$/im.test(body)) return 'ini';
  return /^\s*(sync\s*[{(]|sync\s*$|settings\s*[.={(]|settings\s*$|--|local\s|function\s|for\s.*\bdo\b)/m.test(body)
    ? 'lsyncd'
    : 'ini';
}

/**
 * A configuration in the service's own language: what is in it already comes back as it is, that of sersync and lsyncd
 * is translated, with a comment for each thing that has no equivalent. Throws ConfigError.
 */
export async function importText(text: ByteString, file: string): Promise<{ text: ByteString; kind: ConfigKind }> {
  const kind = kindOfConfig(text);
  // The parsers load only for those who need them.
  if (kind === 'sersync') {
    const { importSersync } = await import('./sersync.js');
    return { text: importSersync(text, file), kind };
  }
  if (kind === 'lsyncd') {
    const { importLsyncd } = await import('./lsyncd.js');
    return { text: importLsyncd(text, file), kind };
  }
  return { text, kind };
}
