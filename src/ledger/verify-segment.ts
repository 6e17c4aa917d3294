import { createHash } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Quarantined, quarantine } from '../run-directory/checkpoints.ts';
import { ContractError, fsyncFolder, orNull } from '../run-directory/files.ts';
import { type RunFolder, sealPath } from '../run-directory/paths.ts';
import { readIndex, recordsOf } from './index-file.ts';
import { restoreSegment } from './restore.ts';
import { type Scan, scanSegment } from './scan.ts';
import { readSeal, type Seal } from './seal.ts';
import { sealSegment } from './seal-segment.ts';
import type { Segment } from './segment.ts';

/** A segment that is there, has a seal, or was accepted. */
export type ExpectedSegment = Pick<Segment, 'path' | 'name' | 'epoch'>;

/**
 * Checks the first `limit` bytes of a segment, restores and seals it where that is needed, and says what was found. `fence` throws where
 * another taker has come, and is asked before anything is replaced. With `open`, another process may be writing it, so an intact one stays unsealed.
 */
export async function verifySegment(
  paths: RunFolder,
  { path, name }: ExpectedSegment,
  limit: number,
  fence: () => Promise<void>,
  { open = false }: { open?: boolean } = {},
): Promise<Quarantined[]> {
  let seal: Seal | null = null;
  let unsealed: string | null = null;
  try {
    seal = await readSeal(path);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    unsealed = error.message;
  }
  const size = (await stat(path).catch(orNull))?.size;
  if (size === undefined) return [await replaceMissing(path, limit, seal, fence)];

  const counted = Math.min(size, limit);
  const scan = await scanSegment(path, counted, seal);
  const damage = damageIn(scan, limit, seal);
  if (damage !== null) {
    const reason = `${damage}; ${lossOf(scan, limit, seal)}, ${scan.intact} kept`;
    await fence();
    return [{ name, reason, moved_to: await restoreSegment(path, counted, reason, paths.quarantine) }];
  }
  // Bytes beyond the limit are void, so a seal that covers them proves nothing.
  if (seal && seal.bytes <= limit && !scan.sealed) {
    unsealed = `expected the sha256 of ${name}, whose ${scan.lines} lines are as they were written, got ${seal.sha256}`;
  }
  const fresh = { bytes: scan.whole, sha256: scan.sha256 };
  const records = () => recordsOf({ path, accepted: scan.whole });
  if (unsealed === null) {
    if (seal === null) {
      if (!open) await sealSegment(path, fresh, await records());
    } else if (seal.bytes === scan.whole && (await readIndex(path, seal)) === null) {
      await fence();
      await sealSegment(path, fresh, await records(), { replace: true });
    }
    return [];
  }
  await fence();
  const reason = `${unsealed}; no trace lost`;
  const moved_to = await quarantine(sealPath(path), reason, paths.quarantine, { replaced: true });
  await sealSegment(path, fresh, await records(), { replace: true });
  return [{ name: basename(sealPath(path)), reason, moved_to }];
}

/** What is wrong with the lines of a segment that count; null where nothing is. */
function damageIn(scan: Scan, limit: number, seal: Seal | null): string | null {
  if (scan.first !== null) {
    return `${scan.written - scan.intact} of ${scan.written} lines damaged or missing, the first: ${scan.first}`;
  }
  if (seal && seal.bytes <= limit && scan.whole < seal.bytes) {
    return `expected ${seal.bytes} bytes of complete lines as its seal says, got ${scan.whole}`;
  }
  // A segment that was restored is shorter than a record from before says; its fresh seal tells it from a truncated one.
  const restored = scan.sealed && seal?.bytes === scan.whole;
  if (limit === Number.POSITIVE_INFINITY || scan.whole >= limit || restored) return null;
  return `expected ${limit} bytes of complete lines as epoch.json accepted, got ${scan.whole}`;
}

function lossOf(scan: Scan, limit: number, seal: Seal | null): string {
  const damaged = scan.written - scan.intact;
  if (seal && seal.bytes <= limit) return traces(Math.max(damaged, seal.keys - scan.intact));
  if (limit === Number.POSITIVE_INFINITY || scan.whole >= limit) return traces(damaged);
  return `${damaged > 0 ? `${traces(damaged)}, and ` : ''}the traces of ${limit - scan.whole} bytes lost`;
}

const traces = (count: number) => `${count} ${count === 1 ? 'trace' : 'traces'} lost`;

/** Replaces a missing segment by an empty, sealed one, so that the loss is reported once and its number stays used. */
async function replaceMissing(path: string, limit: number, seal: Seal | null, fence: () => Promise<void>) {
  await fence();
  const lost = seal ? traces(seal.keys) : `the traces of ${limit} bytes lost`;
  try {
    await writeFile(path, '', { flag: 'wx' });
    await fsyncFolder(join(path, '..'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  await sealSegment(path, { bytes: 0, sha256: createHash('sha256').digest('hex') }, [], { replace: true });
  return { name: basename(path), reason: `is not there; ${lost}`, moved_to: null } satisfies Quarantined;
}
