import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { relative } from 'node:path';
import type { EpochRecord, LedgerSegment, Outcome } from '../contracts/stage.ts';
import type { StageName } from '../contracts/trace.ts';
import { messageOf } from '../failures.ts';
import { acceptedSegments } from '../ledger/accepted.ts';
import type { Segment } from '../ledger/segment.ts';
import { verifyLedger } from '../ledger/verify.ts';
import { findResume, type Resume } from '../run-directory/chain.ts';
import type { Quarantined } from '../run-directory/checkpoints.ts';
import { claimEpoch } from '../run-directory/claim-epoch.ts';
import { assertNewest, EpochSuperseded } from '../run-directory/epoch-records.ts';
import { writeAtomic } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';

export interface TakenEpoch {
  epoch: number;
  dir: string;
  resume_from: Resume | null;
  /** Checkpoints of the chain and segments of the ledger that were not as they were written. */
  quarantined: Quarantined[];
  /** Segments of the ledger, of all stages, that count now, and how many of their bytes. */
  ledger: LedgerSegment[];
}

/**
 * Takes the next epoch of a stage. The exclusive mkdir is the fence; only after it are the older epochs read, so that what a
 * zombie commits or writes later is not in the record and therefore void. Damaged segments are restored before their lengths are
 * recorded. `mayBegin` comes between the two: an attempt that must not go on, or that cannot read what it should go on from, has a
 * folder that says so.
 * Throws EpochSuperseded where another taker came after this one before its record was written.
 */
export async function takeEpoch(
  paths: RunPaths,
  name: StageName,
  holder: { node: string; pid: number },
  mayBegin: (epoch: number) => Promise<void> = async () => {},
): Promise<TakenEpoch> {
  const stage = paths.stage(name);
  await mkdir(stage.checkpoints, { recursive: true });
  const epoch = await claimEpoch(stage);
  try {
    await mayBegin(epoch);
    return await describeEpoch(paths, name, epoch, holder);
  } catch (error) {
    const { outcome } = stage.epoch(epoch);
    const failed: Outcome = { status: 'failed', message: messageOf(error), field: null };
    const said = error instanceof EpochSuperseded || existsSync(outcome);
    // Without an outcome it would count as a preemption, and be tried for ever.
    if (!said) await writeAtomic(outcome, failed).catch(() => {});
    throw error;
  }
}

async function describeEpoch(
  paths: RunPaths,
  name: StageName,
  epoch: number,
  holder: { node: string; pid: number },
): Promise<TakenEpoch> {
  const stage = paths.stage(name);
  const { resume_from, quarantined } = await findResume(paths, name, epoch);
  quarantined.push(...(await verifyLedger(paths, name, epoch)));
  const segments = await acceptedSegments(paths.dir);
  await writeAtomic(stage.epoch(epoch).record, {
    stage: name,
    epoch,
    node: holder.node,
    pid: holder.pid,
    started_at: new Date().toISOString(),
    starts_from: resume_from?.name ?? null,
    accepted_segments: acceptedOf(segments, name, epoch),
  } satisfies EpochRecord);
  await assertNewest(paths, name, epoch);
  const ledger = segments
    .filter(({ accepted }) => accepted > 0)
    .map(({ path, accepted }) => ({ path: relative(paths.dir, path), bytes: accepted }));
  return { epoch, dir: stage.epoch(epoch).dir, resume_from, quarantined, ledger };
}

/**
 * Bytes of each older segment of the stage that count from `epoch` on. What an earlier record left out stays out: without that,
 * the lines that a zombie wrote after epoch k was taken would come back to life in epoch k + 1.
 */
function acceptedOf(segments: Segment[], stage: StageName, epoch: number): Record<string, number> {
  const older = segments.filter((segment) => segment.stage === stage && segment.epoch < epoch);
  return Object.fromEntries(older.map(({ name, accepted }) => [name, accepted]));
}
