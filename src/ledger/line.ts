import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** Lines of the ledger's segments. Each ends in `,"crc32":"xxxxxxxx"}`: the store's envelope around a trace, no part of it. */

export interface Line {
  /** Without its newline. */
  bytes: Buffer;
  /** Where it starts in its segment. */
  offset: number;
  /** Counted from 1. */
  number: number;
}

/** A line of the ledger that counts and is not what was written. */
export class LedgerDamaged extends Error {
  override name = 'LedgerDamaged';
  readonly path: string;
  /** Counted from 1; null where only the place in the file is known. */
  readonly line: number | null;
  constructor(path: string, { bytes, offset, number }: Omit<Line, 'number'> & { number: number | null }, why: string) {
    const where = number === null ? path : `${path}:${number}`;
    const shown = JSON.stringify(bytes.toString('utf8', 0, 60));
    super(
      `${where}: Expected a trace with its checksum at byte ${offset}, ${why}, in ${shown}. ` +
        `The next attempt at a stage moves what is damaged to quarantine/.`,
    );
    this.path = path;
    this.line = number;
  }
}

const ENVELOPE = ',"crc32":"';
/** The envelope, eight digits, a quote and the closing brace. */
const TAIL_BYTES = ENVELOPE.length + 8 + 2;
/** Big enough that reading is bound by parsing, small enough to hold many. */
const CHUNK_BYTES = 1 << 20;

const hex = (checksum: number) => checksum.toString(16).padStart(8, '0');

/** The line of `trace`, newline included. Its checksum is the CRC-32 of the UTF-8 bytes before `,"crc32":`. */
export function lineOf(trace: object): Buffer {
  const body = Buffer.from(JSON.stringify(trace).slice(0, -1));
  return Buffer.concat([body, Buffer.from(`${ENVELOPE}${hex(crc32(body))}"}\n`)]);
}

/** What is wrong with a line (without its newline); null where it is as it was written. */
export function damageOf(bytes: Buffer): string | null {
  const end = bytes.length - TAIL_BYTES;
  const tail = end > 0 ? bytes.toString('latin1', end) : '';
  if (!tail.startsWith(ENVELOPE) || !tail.endsWith('"}')) return 'got none';
  const said = tail.slice(ENVELOPE.length, -2);
  const found = hex(crc32(bytes.subarray(0, end)));
  return said === found ? null : `got bytes with the checksum ${found} under the checksum ${said}`;
}

/** Parses a line of the ledger; throws LedgerDamaged where its checksum is missing or wrong, or it is no JSON. */
export function parseLine<T>(line: Omit<Line, 'number'> & { number: number | null }, path: string): T {
  const damage = damageOf(line.bytes);
  if (damage !== null) throw new LedgerDamaged(path, line, damage);
  try {
    return JSON.parse(`${line.bytes.toString('utf8', 0, line.bytes.length - TAIL_BYTES)}}`) as T;
  } catch {
    throw new LedgerDamaged(path, line, 'got no JSON');
  }
}

/**
 * Complete lines among the first `accepted` bytes of a segment, a chunk's worth at a time; memory stays at a chunk and the
 * longest line.
 */
export async function* segmentLines({ path, accepted }: { path: string; accepted: number }): AsyncGenerator<Line[]> {
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
      const lines: Line[] = [];
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
