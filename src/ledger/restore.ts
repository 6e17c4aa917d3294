import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { quarantine } from '../run-directory/checkpoints.ts';
import { fsyncFolder, writeAtomic } from '../run-directory/files.ts';
import { sealPath } from '../run-directory/paths.ts';
import { openEnvelope, renumbered } from './line.ts';
import type { Seal } from './seal.ts';
import { segmentLines } from './segment.ts';

/**
 * Writes the intact lines among the first `accepted` bytes of a segment back under its name, numbered anew and sealed. The original
 * goes to quarantine, and a writer that still has it open goes on writing there. Returns where it is.
 */
export async function restoreSegment(path: string, accepted: number, reason: string, quarantineFolder: string) {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const hash = createHash('sha256');
  const seal = { bytes: 0, keys: 0 };
  try {
    const file = await open(temporary, 'wx');
    try {
      for await (const lines of segmentLines({ path, accepted })) {
        const intact: Buffer[] = [];
        for (const { bytes } of lines) {
          const envelope = openEnvelope(bytes);
          if (typeof envelope === 'string') continue;
          seal.keys += 1;
          intact.push(renumbered(bytes, envelope, seal.keys));
        }
        const batch = Buffer.concat(intact);
        await file.appendFile(batch);
        hash.update(batch);
        seal.bytes += batch.length;
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
