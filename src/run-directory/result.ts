import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Outcome, StageResult } from '../contracts/stage.ts';
import { failpoint } from '../failpoints.ts';
import { type Quarantined, quarantine } from './checkpoints.ts';
import { digestOf } from './digest.ts';
import { newestEpoch } from './epoch-records.ts';
import { ContractError, linkOrCopy, orNull, parseContract, readContractIfAny } from './files.ts';
import type { RunPaths } from './paths.ts';

/**
 * The stage's result for display: null where it is not done, or where result.json is not what the newest epoch
 * published or an artifact is not there. What artifacts hold is not read, since a grader has gigabytes: readVerifiedResult does that.
 */
export const readResult = async (paths: RunPaths, stage: string): Promise<StageResult | null> =>
  (await readResultOrReason(paths, stage)).result;

/** As readResult, and why there is none; both are null where no attempt published one. */
export async function readResultOrReason(paths: RunPaths, stage: string): Promise<Omit<Checked, 'bytes'>> {
  const { result, reason } = await checkResult(paths, stage);
  if (!result) return { result, reason };
  for (const path of Object.values(result.artifacts)) {
    const found = await stat(join(paths.dir, path)).catch(orNull);
    if (!found) return { result: null, reason: `its artifact ${path} is not there` };
  }
  return { result, reason };
}

/**
 * The stage's result for stages that build on it: it and all that its artifacts hold have the digests that were published. Null where
 * the stage is not done. A damaged or superseded result goes to quarantine, which makes the stage undone and its name free to publish again; so
 * does each damaged artifact, but for the last checkpoint, which takeEpoch verifies and falls back from. A reader that stalls, and is
 * woken once a successor has published under the same names, moves nothing of that: it reads again. Throws once `signal` is aborted.
 */
export async function readVerifiedResult(
  paths: RunPaths,
  stage: string,
  signal: AbortSignal,
): Promise<{ result: StageResult | null; quarantined: Quarantined[] }> {
  const quarantined: Quarantined[] = [];
  for (;;) {
    const { bytes, result, reason } = await checkResult(paths, stage);
    if (bytes === null) return { result: null, quarantined };
    const damaged = result ? await damagedArtifacts(paths, result) : [];
    signal.throwIfAborted();
    if (result && damaged.length === 0) return { result, quarantined };
    const path = paths.stage(stage).result;
    const moved = await quarantineArtifacts(paths, damaged, () => holds(path, bytes));
    const first = damaged[0];
    const why = first ? `its artifact ${first.name}: ${first.reason}` : (reason ?? 'it is damaged');
    signal.throwIfAborted();
    const moved_to = await quarantineBytes(path, bytes, why, paths.quarantine);
    if (moved_to === undefined) quarantined.push(...moved.filter((one) => one.moved_to !== null));
    else quarantined.push({ name: `${stage}/result.json`, reason: why, moved_to }, ...moved);
  }
}

/** What rank 0 of the epoch said when it ended; null where it wrote none. */
export const readOutcome = (paths: RunPaths, stage: string, epoch: number): Promise<Outcome | null> =>
  readContractIfAny(paths.stage(stage).epoch(epoch).outcome, Outcome);

interface Checked {
  /** What was judged; null where there is no result. */
  bytes: Buffer | null;
  result: StageResult | null;
  /** Why the bytes are no result. */
  reason: string | null;
}

/** result.json itself, by its contract, its epoch and the digest that this epoch wrote. */
async function checkResult(paths: RunPaths, stage: string): Promise<Checked> {
  const path = paths.stage(stage).result;
  const bytes = await readFile(path).catch(orNull);
  if (bytes === null) return { bytes, result: null, reason: null };
  try {
    const result = parseContract(bytes.toString('utf8'), StageResult, path);
    const newest = await newestEpoch(paths, stage);
    // A process that stalled after its check may publish after another attempt superseded it.
    if (newest !== null && result.epoch !== newest && !failpoint('accept-stale-result')) {
      const reason = `${path}: expected the result of epoch ${newest}, the newest, got that of epoch ${result.epoch}`;
      return { bytes, result: null, reason: `${reason}, which was superseded` };
    }
    const signed = paths.stage(stage).epoch(result.epoch).result_sha256;
    const expected = (await readFile(signed, 'utf8').catch(orNull))?.trim();
    const got = createHash('sha256').update(bytes).digest('hex');
    if (expected === got) return { bytes, result, reason: null };
    const said = expected === undefined ? 'a digest, got none' : `sha256 ${expected}, got ${got}`;
    return { bytes, result: null, reason: `${path}: expected, as ${signed} says, ${said}` };
  } catch (error) {
    if (error instanceof ContractError) return { bytes, result: null, reason: error.message };
    throw error;
  }
}

interface DamagedArtifact {
  /** Path in the run directory. */
  name: string;
  at: string;
  /** Its digest; null where it is not there. */
  found: string | null;
  reason: string;
  movable: boolean;
}

async function damagedArtifacts(paths: RunPaths, result: StageResult): Promise<DamagedArtifact[]> {
  const { stage, checkpoint, artifacts, digests } = result;
  const last = checkpoint === null ? null : paths.stage(stage).checkpoint(checkpoint);
  const seen = new Set<string>();
  const damaged: DamagedArtifact[] = [];
  for (const [name, path] of Object.entries(artifacts)) {
    const at = join(paths.dir, path);
    // The first, middle and last checkpoint of a short training are one folder.
    if (seen.has(at)) continue;
    seen.add(at);
    const found = await digestOf(at);
    if (found === digests[name]) continue;
    const reason = `expected sha256 ${digests[name]}, got ${found ?? 'nothing: it is not there'}`;
    damaged.push({ name: path, at, found, reason, movable: found !== null && at !== last });
  }
  return damaged;
}

/** Moves those that are still what was judged, while the result that names them is in place; a successor writes under the same names. */
async function quarantineArtifacts(
  paths: RunPaths,
  damaged: DamagedArtifact[],
  isStillNamed: () => Promise<boolean>,
): Promise<Quarantined[]> {
  const quarantined: Quarantined[] = [];
  for (const { name, at, found, reason, movable } of damaged) {
    const may = movable && (await digestOf(at)) === found && (await isStillNamed());
    quarantined.push({ name, reason, moved_to: may ? await quarantine(at, reason, paths.quarantine) : null });
  }
  return quarantined;
}

const holds = async (path: string, bytes: Buffer): Promise<boolean> =>
  (await readFile(path).catch(orNull))?.equals(bytes) ?? false;

/**
 * Moves the file to quarantine if it still holds `bytes`; what a successor put in its place between the look and the move is put back.
 * Returns where it is now, null where it is gone, undefined where something else is in its place.
 */
async function quarantineBytes(path: string, bytes: Buffer, reason: string, folder: string) {
  const now = await readFile(path).catch(orNull);
  if (now === null) return null;
  if (!now.equals(bytes)) return undefined;
  const moved_to = await quarantine(path, reason, folder);
  if (moved_to === null || (await holds(moved_to, bytes))) return moved_to;
  // Where a third one has published meanwhile, that one counts.
  await linkOrCopy(moved_to, path).catch(ignoreExisting);
  return undefined;
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
