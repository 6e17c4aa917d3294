import { closeSync, openSync, readSync } from 'node:fs';
import type { Trace } from '../contracts/trace.ts';
import { readIndex, recordsOf } from './index-file.ts';
import { KEY_BYTES, placeIn, RECORD_BYTES, recordOf, setSegment, textBytes } from './index-record.ts';
import { parseLine } from './line.ts';
import { RecordTable } from './record-table.ts';
import { readSealIfWhole } from './seal.ts';
import type { Segment } from './segment.ts';

/** Where a line of the ledger is, without its newline. */
export interface Place {
  path: string;
  offset: number;
  length: number;
}

/** Where each trace is, by key and by text. Holds places, not traces: a long run's ledger does not fit in memory. */
export class LedgerIndex {
  #table = new RecordTable();
  #paths: string[] = [];
  #files = new Map<string, number>();

  get size(): number {
    return this.#table.size;
  }

  has(key: string): boolean {
    return this.#at(key) !== null;
  }

  add(trace: Trace, { path, offset, length }: Place): void {
    this.#insert(recordOf(trace, offset, length), path, Number.POSITIVE_INFINITY);
  }

  /**
   * Indexes the lines of a segment that count: from its index where it is sealed, else line by line.
   * Throws LedgerDamaged, where it reads lines.
   */
  async load(segment: Segment): Promise<void> {
    const { path, accepted } = segment;
    const seal = await readSealIfWhole(path);
    const covered = seal !== null && seal.bytes >= accepted;
    const records = (covered ? await readIndex(path, seal) : null) ?? Buffer.concat(await recordsOf(segment));
    this.#insert(records, path, accepted);
  }

  /**
   * Reads in place: a trace is a few kilobytes that were written lately, and the round through a thread costs more than they do.
   * Throws LedgerDamaged.
   */
  find(key: string): Trace | null {
    const at = this.#at(key);
    if (at === null) return null;
    const { offset, length, segment } = placeIn(this.#table.records, at);
    const path = this.#paths[segment] as string;
    const file = this.#files.get(path) ?? openSync(path, 'r');
    this.#files.set(path, file);
    const bytes = Buffer.allocUnsafe(length);
    readSync(file, bytes, 0, length, offset);
    return parseLine<Trace>({ bytes, offset, number: null }, path);
  }

  /** Key of a trace about the same text, whatever its sampling parameters were. */
  keyOfText(digest: string): string | null {
    const at = this.#table.findText(textBytes(digest));
    return at === null ? null : this.#table.records.toString('hex', at, at + KEY_BYTES);
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }

  #at(key: string): number | null {
    const bytes = Buffer.from(key, 'hex');
    return bytes.length === KEY_BYTES ? this.#table.findKey(bytes) : null;
  }

  #insert(records: Buffer, path: string, accepted: number): void {
    if (this.#paths.at(-1) !== path) this.#paths.push(path);
    const segment = this.#paths.length - 1;
    for (let from = 0; from < records.length; from += RECORD_BYTES) {
      const { offset, length } = placeIn(records, from);
      if (offset + length >= accepted) continue;
      const at = this.#table.add(records, from);
      if (at !== null) setSegment(this.#table.records, at, segment);
    }
  }
}
