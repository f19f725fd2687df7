import type { ByteReader } from '../../protocol/bytes/reader.js';
import type { Connection } from './connection.js';

/** Reads one unit with `read`, again from its first byte whenever some of it has yet to come. */
export async function decode<T>(connection: Connection, read: (reader: ByteReader) => T): Promise<T> {
  const { reader } = connection;
  for (;;) {
    reader.begin();
    const value = read(reader);
    if (reader.done()) return value;
    await connection.fill();
  }
}

/** The same with a reading function that marks its units itself and says null as long as something is missing. */
export async function decodeWhole<T>(connection: Connection, read: (reader: ByteReader) => T | null): Promise<T> {
  for (;;) {
    const value = read(connection.reader);
    if (value !== null) return value;
    await connection.fill();
  }
}
