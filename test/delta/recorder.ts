import { ByteWriter } from '../../protocol/bytes/writer.js';

/** A writer, and all bytes that were written so far. */
export function recorder(): { w: ByteWriter; bytes(): Buffer } {
  const parts: Buffer[] = [];
  const w = new ByteWriter({
    write: (view, release) => {
      parts.push(Buffer.from(view));
      release();
    },
  });
  const bytes = () => {
    w.flush();
    return Buffer.concat(parts);
  };
  return { w, bytes };
}
