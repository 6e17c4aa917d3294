import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { quarantine } from '../run-directory/checkpoints.ts';
import { fsyncFolder, writeAtomic } from '../run-directory/files.ts';
import { sealPath } from '../run-directory/paths.ts';
import { damageOf, segmentLines } from './line.ts';
import type { Seal } from './seal.ts';

/** What one pass over the bytes of a segment that count finds. */
export interface Scan {
  /** Bytes of its complete lines. */
  whole: number;
  lines: number;
  /** Lines whose checksum is right. */
  intact: number;
  /** Where and what the first damage is. */
  first: string | null;
  /** Whether the bytes that the seal speaks of have its digest. */
  sealed: boolean;
  /** Of the complete lines. */
  sha256: string;
}

const NEWLINE = Buffer.from('\n');

/** Checks the complete lines among the first `counted` bytes, in one pass that holds a chunk at a time. */
export async function scanSegment(path: string, counted: number, seal: Seal | null): Promise<Scan> {
  const hash = createHash('sha256');
  const scan = { whole: 0, lines: 0, intact: 0, first: null as string | null, sealed: seal?.bytes === 0 };
  for await (const lines of segmentLines({ path, accepted: counted })) {
    for (const { bytes, offset, number } of lines) {
      hash.update(bytes).update(NEWLINE);
      scan.whole = offset + bytes.length + 1;
      scan.lines = number;
      const damage = damageOf(bytes);
      if (damage === null) scan.intact += 1;
      else scan.first ??= `line ${number}: expected a trace with its checksum, ${damage}`;
      if (seal?.bytes === scan.whole) scan.sealed = hash.copy().digest('hex') === seal.sha256;
    }
  }
  return { ...scan, sha256: hash.digest('hex') };
}

/**
 * Writes the intact lines among the first `counted` bytes of a segment back under its name, with a fresh seal; the original lies in
 * quarantine, and whoever still has it open goes on writing there. Returns where it lies.
 */
export async function mendSegment(path: string, counted: number, reason: string, quarantineFolder: string) {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const hash = createHash('sha256');
  const seal = { bytes: 0, keys: 0 };
  try {
    const file = await open(temporary, 'wx');
    try {
      for await (const lines of segmentLines({ path, accepted: counted })) {
        const intact = lines.filter(({ bytes }) => damageOf(bytes) === null);
        const batch = Buffer.concat(intact.flatMap(({ bytes }) => [bytes, NEWLINE]));
        await file.appendFile(batch);
        hash.update(batch);
        seal.bytes += batch.length;
        seal.keys += intact.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const moved_to = await quarantine(path, reason, quarantineFolder, { replaced: true });
    await rename(temporary, path);
    await fsyncFolder(dirname(path));
    await writeAtomic(sealPath(path), { ...seal, sha256: hash.digest('hex') } satisfies Seal);
    return moved_to;
  } finally {
    await rm(temporary, { force: true });
  }
}
