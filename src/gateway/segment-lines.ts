import { open } from 'node:fs/promises';
import type { Segment } from './segments.ts';

export interface Line {
  bytes: Buffer;
  /** Where it starts in its segment. */
  offset: number;
}

/** Big enough that reading is bound by parsing, small enough to hold many. */
const CHUNK_BYTES = 1 << 20;

/** Complete lines among the accepted bytes of a segment, a chunk's worth at a time; memory stays at a chunk and the longest line. */
export async function* segmentLines({ path, accepted }: Pick<Segment, 'path' | 'accepted'>): AsyncGenerator<Line[]> {
  const file = await open(path, 'r');
  try {
    let rest = Buffer.alloc(0);
    let start = 0;
    for (let position = 0; position < accepted; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, accepted - position));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const lines: Line[] = [];
      let from = 0;
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
        if (end > from) lines.push({ bytes: bytes.subarray(from, end), offset: start + from });
        from = end + 1;
      }
      rest = bytes.subarray(from);
      start += from;
      if (lines.length > 0) yield lines;
    }
  } finally {
    await file.close();
  }
}

/** Parses a line of the ledger; the message says where it lies. */
export function parseLine<T>({ bytes, offset }: Line, path: string): T {
  try {
    return JSON.parse(bytes.toString('utf8')) as T;
  } catch {
    throw new Error(`${path}: Expected a trace (JSON) at byte ${offset}, got: ${bytes.toString('utf8', 0, 60)}`);
  }
}
