import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import type { StageName, Trace } from '../contracts/trace.ts';
import { fsyncFolder } from '../run-directory/files.ts';
import { pathsIn } from '../run-directory/paths.ts';
import type { Place } from './index.ts';
import { recordOf } from './index-record.ts';
import { lineOf } from './line.ts';
import { sealSegment } from './seal-segment.ts';

/** The one segment that this process writes. Lines are durable once `write` returns. */
export class SegmentWriter {
  readonly path: string;
  readonly n: number;
  torn = false;
  #file: FileHandle;
  #bytes = 0;
  #records: Buffer[] = [];
  #sha256 = createHash('sha256');

  private constructor(path: string, n: number, file: FileHandle) {
    this.path = path;
    this.n = n;
    this.#file = file;
  }

  /** Takes the first free number from `n` on: creation is exclusive, so no two writers share a file. */
  static async create(run_dir: string, stage: StageName, epoch: number, n: number): Promise<SegmentWriter> {
    const paths = pathsIn(run_dir);
    await mkdir(paths.traces, { recursive: true });
    for (; ; n++) {
      const path = paths.segment(stage, epoch, n);
      try {
        const writer = new SegmentWriter(path, n, await open(path, 'ax'));
        await fsyncFolder(paths.traces);
        return writer;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends `traces` and waits for the disk; returns where each is. After a failed write (disk full) the file is as before, or `torn`:
   * then nothing more may be written to it, since another line would join what is left of this one.
   */
  async write(traces: readonly Trace[]): Promise<Place[]> {
    const lines = traces.map((trace, at) => lineOf(trace, this.#records.length + at + 1));
    const batch = lines.length === 1 ? (lines[0] as Buffer) : Buffer.concat(lines);
    const start = this.#bytes;
    try {
      await this.#file.appendFile(batch);
      // A file's data and its length; access times need no disk.
      await this.#file.datasync();
    } catch (error) {
      await this.#file.truncate(start).catch(() => {
        this.torn = true;
      });
      throw error;
    }
    this.#sha256.update(batch);
    return lines.map((line, at) => {
      const place = { path: this.path, offset: this.#bytes, length: line.length - 1 };
      this.#records.push(recordOf(traces[at] as Trace, place.offset, place.length));
      this.#bytes += line.length;
      return place;
    });
  }

  /**
   * Closes the segment and writes its seal beside it, unless a successor has sealed it: what came later than that is void. One that
   * failed (disk full) can be repeated. A torn segment's seal covers what comes before the tear.
   */
  async seal(): Promise<void> {
    await this.#file.close();
    const sha256 = this.#sha256.copy().digest('hex');
    await sealSegment(this.path, { bytes: this.#bytes, sha256 }, this.#records);
  }
}
