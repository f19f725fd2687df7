import type { ByteString } from '../../../protocol/options.js';
import { allowedIn, KEYS, type KeyName, keysOf, type Level, RULE_KEYS, type Value } from './keys.js';
import { at, type Entry, type Place, type Section } from './lines.js';

interface Given {
  name: KeyName;
  text: ByteString;
  value: unknown;
  place: Place;
}

/** The parsed entries of one section, and the sections around it, from which it takes its defaults. */
export class Scope {
  private readonly given: Given[] = [];

  constructor(
    readonly place: Place,
    private readonly outer: Scope | null,
  ) {}

  /** Takes the entries of a section; what is wrong with them goes to `problems`. */
  read(section: Section, level: Level, problems: string[]): void {
    for (const entry of section.entries) {
      const problem = this.take(entry, level);
      if (problem !== null) problems.push(at(entry.place, problem));
    }
  }

  private take({ key, value, place }: Entry, level: Level): string | null {
    const name = key as KeyName;
    if (!Object.hasOwn(KEYS, key) || !allowedIn(name, level)) {
      const where = level === 'global' ? 'above the first section' : `in a ${level} section`;
      return `"${key}" is no key ${where} (allowed: ${keysOf(level).join(', ')})`;
    }
    const before = this.given.find((one) => one.name === name);
    if (before !== undefined && !('many' in KEYS[name])) {
      return `"${key}" is given a second time (first in line ${before.place.line})`;
    }
    try {
      this.given.push({ name, text: value, value: KEYS[name].parse(value), place });
    } catch (error) {
      return `${key}: ${(error as Error).message}`;
    }
    return null;
  }

  /** Entries of this section alone. */
  own<K extends KeyName>(name: K): { value: Value<K>; place: Place }[] {
    return this.given.filter((one) => one.name === name) as unknown as { value: Value<K>; place: Place }[];
  }

  private nearest(name: KeyName): Given[] {
    const own = this.given.filter((one) => one.name === name);
    return own.length > 0 || this.outer === null ? own : this.outer.nearest(name);
  }

  /** The value of this section, or of the nearest one around it. */
  get<K extends KeyName, D>(name: K, otherwise: D): Value<K> | D {
    const found = this.nearest(name);
    return found.length > 0 ? (found[0].value as Value<K>) : otherwise;
  }

  /** All values of this section, or of the nearest one around it that has any. */
  all<K extends KeyName>(name: K): Value<K>[] {
    return this.nearest(name).map((one) => one.value as Value<K>);
  }

  /** Where a key was set that counts here. */
  placeOf(name: KeyName): Place {
    return this.nearest(name)[0]?.place ?? this.place;
  }

  /** Options from the outermost section to this one: what is nearer overrules. */
  options(): ByteString[] {
    const own = this.own('options').flatMap((one) => one.value);
    return this.outer === null ? own : [...this.outer.options(), ...own];
  }

  /** Filter rules as options, from this section outwards: the first rule that fits decides. */
  rules(): ByteString[] {
    const own = this.given
      .filter((one) => (RULE_KEYS as readonly string[]).includes(one.name))
      .map((one) => `--${one.name.replace(' ', '-')}=${one.text}`);
    return this.outer === null ? own : [...own, ...this.outer.rules()];
  }
}
