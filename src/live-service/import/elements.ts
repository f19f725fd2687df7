import type { ByteString } from '../../../protocol/options.js';

/** An element: its attributes as strings, its children as lists of elements. */
export interface Element {
  [name: string]: string | Element[] | undefined;
}

export function children(of: Element | undefined, name: string): Element[] {
  const found = of?.[name];
  return Array.isArray(found) ? found : [];
}

export function child(of: Element | undefined, name: string): Element | undefined {
  return children(of, name)[0];
}

export function attribute(of: Element | undefined, name: string): ByteString {
  const value = of?.[`@${name}`];
  return typeof value === 'string' ? value.trim() : '';
}

/** The switch of an element; `otherwise` when the file says nothing. */
export function isOn(of: Element | undefined, otherwise = false): boolean {
  const start = attribute(of, 'start').toLowerCase();
  return start === '' ? otherwise : start === 'true';
}
