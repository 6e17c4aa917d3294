import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeExclusive } from './files.ts';

/**
 * The identity of a GAVEL_ROOT: its marker file holds a UUID, which task queues, leases and owners carry. It is made on
 * purpose, once, and never by a worker: a worker that finds none has the wrong folder mounted.
 */

const MARKER = '.gavel-root';

/** A folder that is no root, or whose marker holds something else than an identity. */
export class NotARoot extends Error {
  override name = 'NotARoot';
}

export const markerOf = (root: string): string => join(root, MARKER);

/** The UUID of the root. Throws NotARoot. */
export function readRootId(root: string): string {
  const marker = markerOf(root);
  let text: string;
  try {
    text = readFileSync(marker, 'utf8').trim();
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : (error as Error).message;
    throw new NotARoot(
      `Expected ${root} to hold the file ${MARKER}, found ${found}. A wrong mount? Set GAVEL_ROOT, or make this folder a ` +
        'root, once: `gavel root --new` (`gavel up` and `gavel demo` do so too).',
    );
  }
  if (z.guid().safeParse(text).success) return text.toLowerCase();
  throw new NotARoot(
    `Expected ${marker} to hold the root's UUID, found ${JSON.stringify(text.slice(0, 60))}. Remove the file, then make the ` +
      'root anew: `gavel root --new`.',
  );
}

/** Makes the folder a root unless it is one, and returns its UUID. Where several processes try at once, one makes it. */
export async function createRoot(root: string): Promise<string> {
  await mkdir(root, { recursive: true });
  await writeExclusive(markerOf(root), Buffer.from(`${randomUUID()}\n`));
  return readRootId(root);
}
