import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { StageName } from '../contracts/trace.ts';
import { fsyncFolder, writeExclusive } from '../run-directory/files.ts';
import { parseSegmentName, sealPath, segmentName } from '../run-directory/paths.ts';
import { tracesFolder } from './accepted.ts';
import type { Seal } from './seal.ts';

/** The one segment that this process writes. Lines are there for good once `write` returns. */
export class SegmentWriter {
  readonly path: string;
  #file: FileHandle;
  #bytes = 0;
  #keys = 0;
  #sha256 = createHash('sha256');

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Takes the first free number from `n` on: creation is exclusive, so no two writers share a file. */
  static async create(run_dir: string, stage: StageName, epoch: number | null, n: number): Promise<SegmentWriter> {
    const folder = tracesFolder(run_dir);
    await mkdir(folder, { recursive: true });
    for (; ; n++) {
      const path = join(folder, segmentName(stage, epoch, n));
      try {
        const writer = new SegmentWriter(path, await open(path, 'ax'));
        await fsyncFolder(folder);
        return writer;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  get n(): number {
    return parseSegmentName(basename(this.path))?.number ?? 0;
  }

  /** Appends `lines` and waits for the disk; returns where they start. After a failed write (disk full) the file is as before. */
  async write(lines: Buffer[]): Promise<number> {
    const start = this.#bytes;
    const batch = lines.length === 1 ? (lines[0] as Buffer) : Buffer.concat(lines);
    try {
      await this.#file.appendFile(batch);
      // A file's data and its length; access times need no disk.
      await this.#file.datasync();
    } catch (error) {
      await this.#file.truncate(start);
      throw error;
    }
    this.#bytes += batch.length;
    this.#keys += lines.length;
    this.#sha256.update(batch);
    return start;
  }

  /** Closes the segment and writes its seal beside it, unless a successor has sealed it: what came later than that is void. */
  async seal(): Promise<void> {
    await this.#file.close();
    const seal: Seal = { bytes: this.#bytes, sha256: this.#sha256.digest('hex'), keys: this.#keys };
    await writeExclusive(sealPath(this.path), seal);
  }
}
