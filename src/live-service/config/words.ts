import type { ByteString } from '../../../protocol/options.js';

/** Splits a line of options as a shell does, without its expansions. Throws an Error on a quote that does not end. */
export function splitWords(text: ByteString): ByteString[] {
  const words: ByteString[] = [];
  let word = '';
  let open = false;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quote === '' && /\s/.test(c)) {
      if (open) words.push(word);
      word = '';
      open = false;
      continue;
    }
    open = true;
    if (c === '\\' && quote !== "'" && i + 1 < text.length) word += text[++i];
    else if (quote === '' && (c === '"' || c === "'")) quote = c;
    else if (c === quote) quote = '';
    else word += c;
  }
  if (quote !== '') throw new Error(`no closing ${quote}`);
  if (open) words.push(word);
  return words;
}

/** One word as it has to be typed to stay one. */
export function quoteWord(word: ByteString): ByteString {
  return /^[\w@%+=:,./*?[\]!~^-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function joinWords(words: readonly ByteString[]): ByteString {
  return words.map(quoteWord).join(' ');
}
