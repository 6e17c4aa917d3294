import { closeSync, existsSync, mkdirSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { journalsOf } from '../check/read-journal.ts';
import { namesIn } from '../check/read-run-directory.ts';

/**
 * Copies of the journals of a stage as they were written: gavel removes old ones, and faults damage some. Only bytes that are new are
 * read, so that a later damage does not reach the copy.
 */
export class JournalCopies {
  /** An epoch's copies lie in a folder of its own here. */
  readonly folder: string;
  private readonly epochs: string;

  constructor(epochs: string, folder: string) {
    this.epochs = epochs;
    this.folder = folder;
  }

  /** Copies what has been written since the last time. */
  copy(): void {
    for (const epoch of namesIn(this.epochs)) {
      for (const path of journalsOf(join(this.epochs, epoch))) {
        mkdirSync(join(this.folder, epoch), { recursive: true });
        append(path, join(this.folder, epoch, basename(path)));
      }
    }
  }
}

function append(from: string, to: string): void {
  const copied = existsSync(to) ? statSync(to).size : 0;
  try {
    const more = statSync(from).size - copied;
    if (more <= 0 && existsSync(to)) return;
    const bytes = Buffer.alloc(Math.max(0, more));
    const file = openSync(from, 'r');
    const read = readSync(file, bytes, 0, bytes.length, copied);
    closeSync(file);
    writeFileSync(to, bytes.subarray(0, read), { flag: 'a' });
  } catch (error) {
    // Removed since it was listed.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
