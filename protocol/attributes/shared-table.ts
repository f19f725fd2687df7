/** What many rows of a list have in common, each kept once. A row knows a number, from 1 on; 0 stands for nothing. */
export class SharedTable<T> {
  private readonly items: T[] = [];
  private readonly numbers = new Map<string, number>();

  constructor(
    private readonly none: T,
    /** A text that is the same for what is equal. */
    private readonly keyOf: (item: T) => string,
  ) {}

  /** What the number stands for. */
  at(number: number): T {
    return number === 0 ? this.none : this.items[number - 1];
  }

  /** Appends an item; returns its number. */
  add(item: T): number {
    return this.items.push(item);
  }

  /** The number of an item that equals this one; it is appended if there is none. */
  intern(item: T): number {
    const key = this.keyOf(item);
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.add(item);
      this.numbers.set(key, number);
    }
    return number;
  }
}
