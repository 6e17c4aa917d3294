import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StageName } from '../contracts/trace.ts';
import type { Quarantined } from '../run-directory/checkpoints.ts';
import { assertNewest } from '../run-directory/epoch-records.ts';
import { orNull } from '../run-directory/files.ts';
import { parseSegmentName, type RunFolder, type RunPaths, segmentOfSeal } from '../run-directory/paths.ts';
import { acceptedBytes, type Rule, ruleOf } from './accepted.ts';
import { type ExpectedSegment, verifySegment } from './verify-segment.ts';

/**
 * Checks every line that counts of the older segments of stage `name`, of the stages that are done and of what was served, against its
 * checksum, its number, its seal and the length that was accepted. A damaged segment goes to quarantine and its intact lines stay under its name,
 * sealed; one without a seal gets one. Only the attempt that has taken `epoch` may call it. Returns what was found, with how many traces are lost.
 * Throws EpochSuperseded where another taker has come, before it changes anything more.
 */
export async function verifyLedger(paths: RunPaths, name: StageName, epoch: number): Promise<Quarantined[]> {
  const found: Quarantined[] = [];
  const fence = () => assertNewest(paths, name, epoch);
  for (const stage of await verifiedStages(paths, name)) {
    const rule = await ruleOf(paths, stage, stage === name ? epoch - 1 : undefined);
    for (const segment of await expectedSegments(paths, stage, rule)) {
      const limit = await acceptedBytes(rule, segment);
      if (limit > 0) found.push(...(await verifySegment(paths, segment, limit, fence)));
    }
  }
  found.push(...(await verifyServed(paths)));
  return found;
}

/** What an attempt at stage `name` verifies: its own stage, and those that are done. Attempts at the others verify theirs. */
export async function verifiedStages(paths: RunPaths, name: StageName): Promise<StageName[]> {
  const stages: StageName[] = [];
  for (const stage of StageName.exclude(['serve']).options) {
    if (stage === name || (await stat(paths.stage(stage).result).catch(orNull))) stages.push(stage);
  }
  return stages;
}

/** The same for the segments of every `gavel serve` of the run. */
export const verifyServed = (paths: RunFolder): Promise<Quarantined[]> => verifyShared(paths, 'serve');

/**
 * The same for the segments of every `gavel audit` into the folder. Call it before the ledger there is opened: a damaged line stops that, and a
 * damaged line of a sealed segment stops the call that it answers.
 */
export const verifyAudited = (paths: RunFolder): Promise<Quarantined[]> => verifyShared(paths, 'audit');

/**
 * Several processes may write segments of `stage` at once, each under an epoch of its own, so that an intact segment is left as it is.
 * A process whose segment is restored under it goes on writing the original in quarantine: a damaged line would stop every other
 * gateway of the run, and its report.
 */
async function verifyShared(paths: RunFolder, stage: StageName): Promise<Quarantined[]> {
  const found: Quarantined[] = [];
  const rule = await ruleOf(paths, stage);
  for (const segment of await expectedSegments(paths, stage, rule)) {
    const limit = await acceptedBytes(rule, segment);
    if (limit > 0) found.push(...(await verifySegment(paths, segment, limit, async () => {}, { open: true })));
  }
  return found;
}

/** Segments of a stage that are there, have a seal, or were accepted. */
async function expectedSegments(paths: RunFolder, stage: StageName, { record }: Rule): Promise<ExpectedSegment[]> {
  const there = (await readdir(paths.traces).catch(orNull)) ?? [];
  const accepted = Object.entries(record?.accepted_segments ?? {}).filter(([, bytes]) => bytes > 0);
  const names = new Set([...there.map(segmentOfSeal), ...accepted.map(([n]) => n)]);
  return [...names].sort().flatMap((name) => {
    const parsed = parseSegmentName(name);
    return parsed?.stage === stage ? [{ path: join(paths.traces, name), name, epoch: parsed.epoch }] : [];
  });
}
