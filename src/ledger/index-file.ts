import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Trace } from '../contracts/trace.ts';
import { orNull, writeAtomic } from '../run-directory/files.ts';
import { indexPath } from '../run-directory/paths.ts';
import { recordOf } from './index-record.ts';
import { parseLine } from './line.ts';
import type { Seal } from './seal.ts';
import { type Segment, segmentLines } from './segment.ts';

/**
 * `<segment>.index`: a record for each line of a sealed segment, so that a ledger opens without parsing its lines. Its digest is in the
 * seal. One that is missing or damaged is made again from the segment: it holds nothing that the segment does not.
 */

/** Writes the index of a segment, and returns its digest for the seal. */
export async function writeIndex(segmentPath: string, records: readonly Buffer[]): Promise<string> {
  const bytes = Buffer.concat(records);
  await writeAtomic(indexPath(segmentPath), bytes);
  return digestOf(bytes);
}

export const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The records of a sealed segment; null where their digest is not the seal's. */
export async function readIndex(segmentPath: string, seal: Seal): Promise<Buffer | null> {
  const bytes = await readFile(indexPath(segmentPath)).catch(orNull);
  return bytes !== null && digestOf(bytes) === seal.index_sha256 ? bytes : null;
}

/** The records of a segment's lines that count, from the lines themselves. Throws LedgerDamaged. */
export async function recordsOf(segment: Pick<Segment, 'path' | 'accepted'>): Promise<Buffer[]> {
  const records: Buffer[] = [];
  for await (const lines of segmentLines(segment)) {
    for (const line of lines) {
      records.push(recordOf(parseLine<Trace>(line, segment.path), line.offset, line.bytes.length));
    }
  }
  return records;
}
