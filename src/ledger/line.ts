import { crc32 } from 'node:zlib';

/**
 * Lines of the ledger's segments. Each ends in `,"seq":12,"crc32":"xxxxxxxx"}`: the store's envelope around a trace, no part of it.
 * `seq` counts the lines of a segment from 1, so that a line that is gone leaves a gap.
 */

export interface Line {
  /** Without its newline. */
  bytes: Buffer;
  /** Where it starts in its segment. */
  offset: number;
  /** Counted from 1; null where only the place in the file is known. */
  number: number | null;
}

/** A line of the ledger that counts and is not what was written. */
export class LedgerDamaged extends Error {
  override name = 'LedgerDamaged';
  readonly path: string;
  readonly line: number | null;
  constructor(path: string, { bytes, offset, number }: Line, why: string) {
    const where = number === null ? path : `${path}:${number}`;
    const shown = JSON.stringify(bytes.toString('utf8', 0, 60));
    super(
      `${where}: ${why}, at byte ${offset}, in ${shown}. The next attempt at a stage, the next \`gavel serve\`, or the next \`gavel audit\` into its folder, moves it to quarantine/.`,
    );
    this.path = path;
    this.line = number;
  }
}

const CRC = ',"crc32":"';
/** The envelope's last part: eight digits, a quote and the closing brace. */
const CRC_BYTES = CRC.length + 8 + 2;
const SEQ = ',"seq":';
/** More digits than a segment has lines. */
const SEQ_BYTES = SEQ.length + 15;

const hex = (checksum: number) => checksum.toString(16).padStart(8, '0');

/** The line of `trace`, newline included. Its checksum is the CRC-32 of the UTF-8 bytes before `,"crc32":`. */
export function lineOf(trace: object, seq: number): Buffer {
  return enclosed(Buffer.from(JSON.stringify(trace).slice(0, -1)), seq);
}

function enclosed(trace: Buffer, seq: number): Buffer {
  const number = Buffer.from(`${SEQ}${seq}`);
  const checksum = crc32(number, crc32(trace));
  return Buffer.concat([trace, number, Buffer.from(`${CRC}${hex(checksum)}"}\n`)]);
}

/** An envelope whose checksum is right: the line's number, and how many bytes of the line are the trace, without its brace. */
export interface Envelope {
  seq: number;
  trace_bytes: number;
}

/** Opens the envelope of a line; a sentence where the line is not as it was written. */
export function openEnvelope(bytes: Buffer): Envelope | string {
  const expected = 'expected a trace with its checksum';
  const end = bytes.length - CRC_BYTES;
  const tail = end > 0 ? bytes.toString('latin1', end) : '';
  if (!tail.startsWith(CRC) || !tail.endsWith('"}')) return `${expected}, got none`;
  const said = tail.slice(CRC.length, -2);
  const found = hex(crc32(bytes.subarray(0, end)));
  if (said !== found) return `${expected}, got bytes with the checksum ${found} under the checksum ${said}`;
  const before = bytes.toString('latin1', Math.max(0, end - SEQ_BYTES), end);
  const digits = /,"seq":([1-9]\d*)$/.exec(before);
  if (!digits) return 'expected a trace with its sequence number, got none';
  return { seq: Number(digits[1]), trace_bytes: end - digits[0].length };
}

/**
 * The trace in a line of the ledger; throws LedgerDamaged where its checksum is missing or wrong, it is no JSON, or its sequence
 * number is not the number of the line, because lines before it are gone.
 */
export function parseLine<T>(line: Line, path: string): T {
  const envelope = openEnvelope(line.bytes);
  if (typeof envelope === 'string') throw new LedgerDamaged(path, line, envelope);
  if (line.number !== null && envelope.seq !== line.number) {
    throw new LedgerDamaged(path, line, `expected sequence number ${line.number}, got ${envelope.seq}`);
  }
  try {
    return JSON.parse(`${line.bytes.toString('utf8', 0, envelope.trace_bytes)}}`) as T;
  } catch {
    throw new LedgerDamaged(path, line, 'expected a trace as JSON, got none');
  }
}

/** The same trace as line number `seq`, newline included. `bytes` must be a line that openEnvelope opens. */
export const renumbered = (bytes: Buffer, { trace_bytes }: Envelope, seq: number): Buffer =>
  enclosed(bytes.subarray(0, trace_bytes), seq);
