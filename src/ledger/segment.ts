import { open } from 'node:fs/promises';
import type { StageName } from '../contracts/trace.ts';
import type { Line } from './line.ts';

/** A file of the ledger, and how many of its first bytes count. */
export interface Segment {
  path: string;
  /** Name of the file. */
  name: string;
  stage: StageName;
  epoch: number;
  n: number;
  /** Bytes that count: whole lines, and of a superseded epoch only those that its successor found. */
  accepted: number;
}

/** Big enough that reading is bound by parsing, small enough to hold many. */
const CHUNK_BYTES = 1 << 20;

/** A line of a segment that is read from its start. */
export type NumberedLine = Line & { number: number };

/**
 * Complete lines among the first `accepted` bytes of a segment, a chunk's worth at a time; memory stays at a chunk and the
 * longest line.
 */
export async function* segmentLines({
  path,
  accepted,
}: Pick<Segment, 'path' | 'accepted'>): AsyncGenerator<NumberedLine[]> {
  const file = await open(path, 'r');
  try {
    // Pieces, joined once: a hole of zeros has no newline for many chunks, and joining at each would be quadratic.
    let rest: Buffer[] = [];
    let start = 0;
    let number = 0;
    for (let position = 0; position < accepted; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, accepted - position));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) break;
      const read = chunk.subarray(0, bytesRead);
      const lines: NumberedLine[] = [];
      let from = 0;
      for (let end = read.indexOf(0x0a); end >= 0; end = read.indexOf(0x0a, from)) {
        const piece = read.subarray(from, end);
        const bytes = rest.length > 0 ? Buffer.concat([...rest, piece]) : piece;
        rest = [];
        number += 1;
        lines.push({ bytes, offset: start, number });
        from = end + 1;
        start = position + from;
      }
      if (from < bytesRead) rest.push(read.subarray(from));
      position += bytesRead;
      if (lines.length > 0) yield lines;
    }
  } finally {
    await file.close();
  }
}
