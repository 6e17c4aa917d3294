import type { Trace } from '../contracts/trace.ts';
import { textDigest } from './key.ts';

/**
 * One trace in an index, 64 bytes: key 0-31, digest of the question 32-47 (zeros: it cannot be asked again), offset of the line 48-53,
 * its length without newline 54-57, number of the segment 58-61 (zeros in a file, which is about one segment). Little-endian.
 */
export const RECORD_BYTES = 64;
export const KEY_BYTES = 32;
export const TEXT_AT = KEY_BYTES;
export const TEXT_BYTES = 16;
const OFFSET_AT = TEXT_AT + TEXT_BYTES;
const LENGTH_AT = OFFSET_AT + 6;
const SEGMENT_AT = LENGTH_AT + 4;

type Indexed = Pick<Trace, 'key' | 'rubric_digest' | 'reused_from'> & Parameters<typeof textDigest>[0];

/** The record of a trace whose line starts at `offset` and is `length` bytes long. */
export function recordOf(trace: Indexed, offset: number, length: number): Buffer {
  // From the pool: a buffer of its own costs several times these bytes.
  const record = Buffer.allocUnsafe(RECORD_BYTES).fill(0);
  record.write(trace.key, 'hex');
  // Chats have no rubric and no question that could be asked again; a reused reply leads back to the one that was paid.
  if (trace.rubric_digest !== null && trace.reused_from === null) textBytes(textDigest(trace)).copy(record, TEXT_AT);
  record.writeUIntLE(offset, OFFSET_AT, 6);
  record.writeUInt32LE(length, LENGTH_AT);
  return record;
}

/** The first 128 bits of a digest of a question. */
export const textBytes = (digest: string): Buffer => Buffer.from(digest, 'base64url').subarray(0, TEXT_BYTES);

/** Where the line of the record at byte `at` of `records` is. */
export const placeIn = (records: Buffer, at: number) => ({
  offset: records.readUIntLE(at + OFFSET_AT, 6),
  length: records.readUInt32LE(at + LENGTH_AT),
  segment: records.readUInt32LE(at + SEGMENT_AT),
});

export function setSegment(records: Buffer, at: number, segment: number): void {
  records.writeUInt32LE(segment, at + SEGMENT_AT);
}
