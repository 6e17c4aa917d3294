import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { WorkflowOwner } from '../contracts/reservation.ts';
import type { LedgerSegment } from '../contracts/stage.ts';
import type { StageName } from '../contracts/trace.ts';
import { acceptedSegments, whatCounts } from '../ledger/accepted.ts';
import { findMissing, newlyMissing } from '../ledger/missing.ts';
import type { Segment } from '../ledger/segment.ts';
import { verifiedStages, verifyLedger } from '../ledger/verify.ts';
import { checkRecords } from '../run-directory/check-records.ts';
import { findResume, namesUpTo, type Resume } from '../run-directory/checkpoint-chain.ts';
import type { Quarantined } from '../run-directory/checkpoints.ts';
import { claimEpochAfter } from '../run-directory/claim-epoch.ts';
import { assertNewest, EpochSuperseded, newestEpoch, writeEpoch } from '../run-directory/epoch-records.ts';
import { appendLine, writeAtomic } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readResult } from '../run-directory/result.ts';
import { failedOutcome } from './failed-outcome.ts';

export interface TakenEpoch {
  epoch: number;
  dir: string;
  resume_from: Resume | null;
  /** Checkpoints of the chain, and what of the ledger, was not as it was written or is missing. */
  quarantined: Quarantined[];
  /** Names of the checkpoints up to resume_from, oldest first. */
  chain: string[];
  /** Segments of the ledger, of all stages, that count now, and how many of their bytes. */
  ledger: LedgerSegment[];
}

/** Whose attempt takes an epoch, and where. */
export interface Holder {
  node: string;
  pid: number;
  owner?: WorkflowOwner | null;
}

export interface Taking {
  /** The newest epoch when the taker began to look at the stage; what it is now where that is not given. */
  after?: number | null;
  mayBegin?: (epoch: number) => Promise<void>;
}

/**
 * Takes the epoch after `after`. The exclusive mkdir is the fence; only after it are the older epochs read, so that what a
 * zombie commits or writes later is not in the record and therefore void. Damaged segments are restored before their lengths are
 * recorded. `mayBegin` comes between the two: an attempt that must not go on, or that cannot read what it should go on from, has a
 * folder that says so.
 * Throws EpochSuperseded where another taker came since `after`, or after this one before its record was written.
 */
export async function takeEpoch(
  paths: RunPaths,
  name: StageName,
  holder: Holder,
  { after, mayBegin = async () => {} }: Taking = {},
): Promise<TakenEpoch> {
  const stage = paths.stage(name);
  await mkdir(stage.checkpoints, { recursive: true });
  const epoch = await claimEpochAfter(paths, name, after === undefined ? await newestEpoch(paths, name) : after);
  try {
    await mayBegin(epoch);
    return await describeEpoch(paths, name, epoch, holder);
  } catch (error) {
    const { outcome } = stage.epoch(epoch);
    const said = error instanceof EpochSuperseded || existsSync(outcome);
    // Without an outcome the attempt would count as a preemption, and the stage would retry for ever.
    if (!said) await writeAtomic(outcome, failedOutcome(error)).catch(() => {});
    throw error;
  }
}

async function describeEpoch(paths: RunPaths, name: StageName, epoch: number, holder: Holder): Promise<TakenEpoch> {
  const stage = paths.stage(name);
  const records = await checkRecords(paths, await verifiedStages(paths, name), { stage: name, epoch }, () =>
    assertNewest(paths, name, epoch),
  );
  const { resume_from, quarantined } = await findResume(paths, name, epoch);
  quarantined.push(...records.quarantined, ...(await verifyLedger(paths, name, epoch)));
  const segments = await acceptedSegments(paths.dir);
  const trained = name === 'grpo' ? resume_from?.name : (await readResult(paths, 'grpo'))?.checkpoint;
  const missing = trained ? await findMissing(paths, trained) : null;
  const said = missing && (await newlyMissing(paths, missing));
  if (said) quarantined.push(said);
  await log(paths.log(`${name}-e${epoch}`), [...records.undigested, ...quarantined]);
  await writeEpoch(paths, {
    stage: name,
    epoch,
    node: holder.node,
    pid: holder.pid,
    owner: holder.owner ?? null,
    started_at: new Date().toISOString(),
    starts_from: resume_from?.name ?? null,
    accepted_segments: acceptedOf(segments, name, epoch),
    missing_traces: missing?.traces ?? 0,
  });
  await assertNewest(paths, name, epoch);
  const ledger = whatCounts(paths.dir, segments);
  const chain = resume_from === null ? [] : await namesUpTo(paths, name, resume_from.name);
  return { epoch, dir: stage.epoch(epoch).dir, resume_from, quarantined, chain, ledger };
}

/** Writes what was not as it was written into the attempt's log. A full disk must not end an attempt because its log cannot be written. */
async function log(path: string, found: Quarantined[]): Promise<void> {
  for (const { name, reason, moved_to } of found) {
    const where = moved_to === null ? '' : ` (moved to ${moved_to})`;
    await appendLine(path, `gavel: ${name}: ${reason}${where}`).catch(() => {});
  }
}

/**
 * Bytes of each older segment of the stage that count from `epoch` on. What an earlier record left out stays out: without that,
 * the lines that a zombie wrote after epoch k was taken would come back to life in epoch k + 1.
 */
function acceptedOf(segments: Segment[], stage: StageName, epoch: number): Record<string, number> {
  const older = segments.filter((segment) => segment.stage === stage && segment.epoch < epoch);
  return Object.fromEntries(older.map(({ name, accepted }) => [name, accepted]));
}
