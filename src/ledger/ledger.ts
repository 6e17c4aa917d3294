import type { StageName, Trace } from '../contracts/trace.ts';
import { failpoint } from '../failpoints.ts';
import { acceptedSegments } from './accepted.ts';
import { LedgerIndex, type Place } from './index.ts';
import { SegmentWriter } from './writer.ts';

export interface LedgerPlace {
  run_dir: string;
  stage: StageName;
  /** No other ledger writes segments of this stage and epoch: its number was taken by an exclusive create. */
  epoch: number;
  /** A segment longer than this is sealed and another begun, so that readers and copies work in pieces. */
  segment_bytes?: number;
}

const SEGMENT_BYTES = 256 << 20;

interface Waiting {
  trace: Trace;
  done: () => void;
  failed: (error: unknown) => void;
}

/**
 * The append-only store of traces of a run: one writer's view. Every append that waits while a batch is being
 * written goes into the next one, so the disk is asked to sync once per batch and not once per trace.
 */
export class Ledger {
  readonly #index: LedgerIndex;
  readonly #place: LedgerPlace;
  #writer: SegmentWriter | null = null;
  #next_n: number;
  #queue: Waiting[] = [];
  #pending = new Set<string>();
  #writing: Promise<void> | null = null;
  #closed = false;

  private constructor(place: LedgerPlace, index: LedgerIndex, next_n: number) {
    this.#place = place;
    this.#index = index;
    this.#next_n = next_n;
  }

  /**
   * Opens the ledger of a run and indexes what counts. Segments that others wrote are left as they are, torn ends included, since
   * a writer that is thought dead may still be writing.
   * Throws LedgerDamaged where a line that counts is not what was written.
   */
  static async open(place: LedgerPlace): Promise<Ledger> {
    const index = new LedgerIndex();
    let next_n = 1;
    for (const segment of await acceptedSegments(place.run_dir)) {
      if (segment.stage === place.stage && segment.epoch === place.epoch) next_n = Math.max(next_n, segment.n + 1);
      await index.load(segment);
    }
    return new Ledger(place, index, next_n);
  }

  get size(): number {
    return this.#index.size;
  }

  find(key: string): Trace | null {
    if (failpoint('blind-ledger')) return null;
    return this.#index.find(key);
  }

  has(key: string): boolean {
    if (failpoint('blind-ledger')) return false;
    return this.#index.has(key);
  }

  keyOfText(digest: string): string | null {
    return this.#index.keyOfText(digest);
  }

  /** Resolves once the trace is on disk. A key goes in once: a second append of it is a fault of the caller and throws. */
  append(trace: Trace): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('Expected an open ledger, got a closed one.'));
    if (this.#pending.has(trace.key) || this.has(trace.key)) {
      return Promise.reject(new Error(`Expected a new key, got ${trace.key}, which is in the ledger.`));
    }
    if (failpoint('lose-acknowledged-traces')) return Promise.resolve();
    this.#pending.add(trace.key);
    return new Promise((done, failed) => {
      this.#queue.push({ trace, done, failed });
      this.#writing ??= this.#drain();
    });
  }

  /** Waits for what is being written, then seals the segment. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#writer?.seal();
    this.#writer = null;
    this.#index.close();
  }

  async #drain(): Promise<void> {
    // Let everything that became ready in this turn of the event loop join the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#write(batch);
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      } finally {
        for (const { trace } of batch) this.#pending.delete(trace.key);
      }
    }
    this.#writing = null;
  }

  async #write(batch: Waiting[]): Promise<void> {
    const { run_dir, stage, epoch, segment_bytes = SEGMENT_BYTES } = this.#place;
    if (this.#writer && (this.#writer.torn || this.#writer.bytes >= segment_bytes)) {
      await this.#writer.seal();
      this.#writer = null;
    }
    this.#writer ??= await SegmentWriter.create(run_dir, stage, epoch, this.#next_n);
    this.#next_n = this.#writer.n + 1;
    const places = await this.#writer.write(batch.map(({ trace }) => trace));
    for (const [at, { trace }] of batch.entries()) this.#index.add(trace, places[at] as Place);
  }
}
