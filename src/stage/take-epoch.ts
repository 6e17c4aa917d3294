import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type EpochRecord, Head, Manifest, type Outcome } from '../contracts/stage.ts';
import type { StageName } from '../contracts/trace.ts';
import { verifyLedger } from '../ledger/verify-ledger.ts';
import { PRUNED, type Quarantined, quarantine, type Verified, verifyCheckpoint } from '../run-directory/checkpoints.ts';
import {
  assertNewest,
  damagedIsNull,
  EpochSuperseded,
  newestEpoch,
  newestRecord,
  readEpoch,
} from '../run-directory/epoch-records.ts';
import { completeBytes, fsyncFolder, orNull, readContractIfAny, writeAtomic } from '../run-directory/files.ts';
import { parseCheckpointName, parseSegmentName, type RunPaths, type StagePaths } from '../run-directory/paths.ts';

export interface Resume {
  name: string;
  folder: string;
  step: number;
}
export interface TakenEpoch {
  epoch: number;
  dir: string;
  resume_from: Resume | null;
  /** Checkpoints of the chain and segments of the ledger that were not as they were written. */
  quarantined: Quarantined[];
}

/**
 * Takes the next epoch of a stage. The exclusive mkdir is the fence; only after it are the older epochs read, so that what a
 * zombie commits or writes later is not in the record and therefore void. Damaged segments are mended before their lengths are
 * recorded.
 * Throws EpochSuperseded where another taker came after this one before its record was written.
 */
export async function takeEpoch(
  paths: RunPaths,
  name: StageName,
  holder: { node: string; pid: number },
): Promise<TakenEpoch> {
  const stage = paths.stage(name);
  await mkdir(stage.epochs, { recursive: true });
  await mkdir(stage.checkpoints, { recursive: true });
  let epoch = (await newestEpoch(paths, name)) ?? 0;
  do epoch += 1;
  while (!(await mkdirExclusive(stage.epoch(epoch).dir)));
  await fsyncFolder(stage.epochs);
  try {
    return await describeEpoch(paths, name, epoch, holder);
  } catch (error) {
    // An attempt that cannot even read what it should go on from counts as one that failed; without a word it would not.
    const failed: Outcome = { status: 'failed', message: (error as Error).message, field: null };
    if (!(error instanceof EpochSuperseded)) await writeAtomic(stage.epoch(epoch).outcome, failed).catch(() => {});
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
  await writeAtomic(stage.epoch(epoch).record, {
    stage: name,
    epoch,
    node: holder.node,
    pid: holder.pid,
    started_at: new Date().toISOString(),
    starts_from: resume_from?.name ?? null,
    accepted_segments: await acceptedSegments(paths, name, epoch),
  } satisfies EpochRecord);
  await assertNewest(paths, name, epoch);
  return { epoch, dir: stage.epoch(epoch).dir, resume_from, quarantined };
}

async function mkdirExclusive(path: string) {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Bytes of each older segment of the stage that count from `epoch` on. What an earlier record left out stays out: without that,
 * the lines that a zombie wrote after epoch k was taken would come back to life in epoch k + 1.
 */
async function acceptedSegments(paths: RunPaths, name: string, epoch: number) {
  const record = await newestRecord(paths, name, epoch - 1);
  const accepted: Record<string, number> = {};
  for (const file of ((await readdir(paths.traces).catch(orNull)) ?? []).sort()) {
    const segment = parseSegmentName(file);
    if (segment?.stage !== name || segment.epoch === null || segment.epoch >= epoch) continue;
    const bytes = await completeBytes(`${paths.traces}/${file}`);
    const limit = record && segment.epoch < record.epoch ? (record.accepted_segments[file] ?? 0) : bytes;
    accepted[file] = Math.min(bytes, limit);
  }
  return accepted;
}

/** The newest checkpoint of the chain that verifies; broken ones on the way go to quarantine. */
async function findResume(paths: RunPaths, name: string, before: number) {
  const stage = paths.stage(name);
  const quarantined: Quarantined[] = [];
  let next = await tipOfChain(paths, name, before - 1);
  while (next) {
    const folder = stage.checkpoint(next.name);
    if (await stat(join(folder, PRUNED)).catch(orNull)) {
      const link = await readContractIfAny(join(folder, 'manifest.json'), Manifest).catch(damagedIsNull);
      next = await parentOf(paths, name, next.name, link?.parent);
      continue;
    }
    const found: Verified = await verifyCheckpoint(folder, next.manifest_sha256);
    if (found.ok) return { resume_from: { name: next.name, folder, step: found.manifest.step }, quarantined };
    const moved_to = found.missing ? null : await quarantine(folder, found.reason, paths.quarantine);
    quarantined.push({ name: next.name, reason: found.reason, moved_to });
    next = await parentOf(paths, name, next.name, found.manifest?.parent);
  }
  return { resume_from: null, quarantined };
}

interface Candidate {
  name: string;
  manifest_sha256?: string;
}

/** HEAD of the newest epoch up to `epoch` that has one, or what the newest one with a record started from. */
async function tipOfChain(paths: RunPaths, name: string, epoch: number): Promise<Candidate | null> {
  for (let at = epoch; at > 0; at -= 1) {
    try {
      const head = await readContractIfAny(paths.stage(name).epoch(at).head, Head);
      if (head) return { name: head.checkpoint, manifest_sha256: head.manifest_sha256 };
    } catch (error) {
      damagedIsNull(error);
      // There was a commit. Only manifests can say which one was the last.
      const last = await newestOf(paths.stage(name), at, Number.POSITIVE_INFINITY);
      if (last) return { name: last };
    }
    const record = await readEpoch(paths, name, at);
    if (record) return record.starts_from === null ? null : { name: record.starts_from };
  }
  return null;
}

/**
 * What comes before a checkpoint: the parent its manifest names, if it is still there; else (the manifest is unreadable, or the
 * parent was pruned) the newest older one of its epoch; else what that epoch started from.
 */
async function parentOf(paths: RunPaths, name: string, checkpoint: string, parent: string | null | undefined) {
  const own = parseCheckpointName(checkpoint);
  if (!own) return null;
  const stage = paths.stage(name);
  if (parent && isOlder(parent, own.step) && (await stat(stage.checkpoint(parent)).catch(orNull)))
    return { name: parent };
  const older = await newestOf(stage, own.epoch, own.step);
  if (older) return { name: older };
  const record = await readEpoch(paths, name, own.epoch);
  const start = record?.starts_from ?? null;
  return start !== null && isOlder(start, own.step) ? { name: start } : null;
}

/** Steps fall along the way back, so that a damaged record cannot make a circle. */
const isOlder = (name: string, step: number) => (parseCheckpointName(name)?.step ?? step) < step;

/** The checkpoint of `epoch` with the highest step below `step`; null where there is none. */
async function newestOf(stage: StagePaths, epoch: number, step: number) {
  const names = (await readdir(stage.checkpoints).catch(orNull)) ?? [];
  const older = names
    .filter((name) => parseCheckpointName(name)?.epoch === epoch && (parseCheckpointName(name)?.step ?? 0) < step)
    .sort((a, b) => (parseCheckpointName(a)?.step ?? 0) - (parseCheckpointName(b)?.step ?? 0));
  return older.at(-1) ?? null;
}
