import { createHash } from 'node:crypto';
import { openEnvelope } from './line.ts';
import type { Seal } from './seal.ts';
import { segmentLines } from './segment.ts';

/** What one pass over the bytes of a segment that count finds. */
export interface Scan {
  /** Bytes of its complete lines. */
  whole: number;
  lines: number;
  /** Lines whose checksum is right. */
  intact: number;
  /** Lines that were written, as far as their numbers say: damaged ones and those of gaps included. */
  written: number;
  /** Where and what the first damage is. */
  first: string | null;
  /** Whether the bytes that the seal covers have its digest. */
  sealed: boolean;
  /** Bytes of the complete lines. */
  sha256: string;
}

const NEWLINE = Buffer.from('\n');

/** Checks the complete lines among the first `accepted` bytes, in one pass that holds a chunk at a time. */
export async function scanSegment(path: string, accepted: number, seal: Seal | null): Promise<Scan> {
  const hash = createHash('sha256');
  const scan = { whole: 0, lines: 0, intact: 0, written: 0, first: null as string | null, sealed: seal?.bytes === 0 };
  for await (const lines of segmentLines({ path, accepted })) {
    for (const { bytes, offset, number } of lines) {
      hash.update(bytes).update(NEWLINE);
      scan.whole = offset + bytes.length + 1;
      scan.lines = number;
      scan.written += 1;
      const envelope = openEnvelope(bytes);
      if (typeof envelope === 'string') scan.first ??= `line ${number}: ${envelope}`;
      else {
        if (envelope.seq !== number) {
          scan.first ??= `line ${number}: expected sequence number ${number}, got ${envelope.seq}`;
        }
        scan.intact += 1;
        scan.written = Math.max(scan.written, envelope.seq);
      }
      if (seal?.bytes === scan.whole) scan.sealed = hash.copy().digest('hex') === seal.sha256;
    }
  }
  return { ...scan, sha256: hash.digest('hex') };
}
