import { closeSync, openSync, readSync } from 'node:fs';
import type { Trace } from '../contracts/trace.ts';
import { textDigest } from './key.ts';
import { parseLine } from './line.ts';
import { type Segment, segmentLines } from './segment.ts';

/** Where a line of the ledger is, without its newline. */
export interface Place {
  path: string;
  offset: number;
  length: number;
}

/** Where each trace lies, by key and by text. Holds places, not traces: a long run's ledger does not fit in memory. */
export class LedgerIndex {
  #places = new Map<string, Place>();
  #texts = new Map<string, string>();
  #files = new Map<string, number>();

  get size(): number {
    return this.#places.size;
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  add(trace: Trace, place: Place): void {
    if (this.#places.has(trace.key)) return;
    this.#places.set(trace.key, place);
    // Chats have no rubric and no question that could be asked again; a reused reply leads back to the one that was paid.
    if (trace.rubric_digest === null || trace.reused_from !== null) return;
    const digest = textDigest(trace);
    if (!this.#texts.has(digest)) this.#texts.set(digest, trace.key);
  }

  /** Indexes the lines of a segment that count; throws LedgerDamaged. */
  async load(segment: Segment): Promise<void> {
    for await (const lines of segmentLines(segment)) {
      for (const line of lines) {
        const place = { path: segment.path, offset: line.offset, length: line.bytes.length };
        this.add(parseLine<Trace>(line, segment.path), place);
      }
    }
  }

  /**
   * Reads in place: a trace is a few kilobytes that were written lately, and the round through a thread costs more than they do.
   * Throws LedgerDamaged.
   */
  find(key: string): Trace | null {
    const place = this.#places.get(key);
    if (!place) return null;
    const file = this.#files.get(place.path) ?? openSync(place.path, 'r');
    this.#files.set(place.path, file);
    const bytes = Buffer.allocUnsafe(place.length);
    readSync(file, bytes, 0, place.length, place.offset);
    return parseLine<Trace>({ bytes, offset: place.offset, number: null }, place.path);
  }

  /** Key of a trace about the same text, whatever its sampling parameters were. */
  keyOfText(digest: string): string | null {
    return this.#texts.get(digest) ?? null;
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }
}
