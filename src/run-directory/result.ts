import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Outcome, StageResult } from '../contracts/stage.ts';
import { failpoint } from '../failpoints.ts';
import { type Quarantined, quarantine } from './checkpoints.ts';
import { digestOf } from './digest.ts';
import { newestEpoch } from './epoch-records.ts';
import { ContractError, orNull, parseContract, readContractIfAny } from './files.ts';
import type { RunPaths } from './paths.ts';

/**
 * The stage's result for those who show it: null where it is not done, or where result.json is not what the newest epoch
 * published or an artifact is not there. What artifacts hold is not read, since a grader has gigabytes: readVerifiedResult does that.
 */
export async function readResult(paths: RunPaths, stage: string): Promise<StageResult | null> {
  const { result } = await checkResult(paths, stage);
  if (!result) return null;
  for (const path of Object.values(result.artifacts)) {
    if (!(await stat(join(paths.dir, path)).catch(orNull))) return null;
  }
  return result;
}

/**
 * The stage's result for those who build on it: it and all that its artifacts hold have the digests that were published. Null where
 * the stage is not done. A damaged or superseded result goes to quarantine, which makes the stage undone and its name free to publish again; so
 * does each damaged artifact, but for the last checkpoint, which takeEpoch verifies and falls back from.
 */
export async function readVerifiedResult(
  paths: RunPaths,
  stage: string,
): Promise<{ result: StageResult | null; quarantined: Quarantined[] }> {
  const { result, reason } = await checkResult(paths, stage);
  const quarantined = result ? await quarantineArtifacts(paths, result) : [];
  const first = quarantined[0];
  const why = first ? `its artifact ${first.name}: ${first.reason}` : reason;
  if (why === null) return { result, quarantined };
  const moved_to = await quarantine(paths.stage(stage).result, why, paths.quarantine);
  return { result: null, quarantined: [{ name: `${stage}/result.json`, reason: why, moved_to }, ...quarantined] };
}

/** What rank 0 of the epoch said when it ended; null where it wrote none. */
export const readOutcome = (paths: RunPaths, stage: string, epoch: number): Promise<Outcome | null> =>
  readContractIfAny(paths.stage(stage).epoch(epoch).outcome, Outcome);

/** result.json itself, by its contract, its epoch and the digest that this epoch wrote; both null where there is none. */
async function checkResult(
  paths: RunPaths,
  stage: string,
): Promise<{ result: StageResult; reason: null } | { result: null; reason: string | null }> {
  const path = paths.stage(stage).result;
  const bytes = await readFile(path).catch(orNull);
  if (bytes === null) return { result: null, reason: null };
  try {
    const result = parseContract(bytes.toString('utf8'), StageResult, path);
    const newest = await newestEpoch(paths, stage);
    // A stalled process may publish after the stage was taken over: it looked before it stalled.
    if (newest !== null && result.epoch !== newest && !failpoint('accept-stale-result')) {
      const reason = `${path}: expected the result of epoch ${newest}, the newest, got that of epoch ${result.epoch}`;
      return { result: null, reason: `${reason}, which was superseded` };
    }
    const signed = paths.stage(stage).epoch(result.epoch).result_sha256;
    const expected = (await readFile(signed, 'utf8').catch(orNull))?.trim();
    const got = createHash('sha256').update(bytes).digest('hex');
    if (expected === got) return { result, reason: null };
    const said = expected === undefined ? 'a digest, got none' : `sha256 ${expected}, got ${got}`;
    return { result: null, reason: `${path}: expected, as ${signed} says, ${said}` };
  } catch (error) {
    if (error instanceof ContractError) return { result: null, reason: error.message };
    throw error;
  }
}

async function quarantineArtifacts(paths: RunPaths, { stage, checkpoint, artifacts, digests }: StageResult) {
  const last = checkpoint === null ? null : paths.stage(stage).checkpoint(checkpoint);
  const seen = new Map<string, string | null>();
  const quarantined: Quarantined[] = [];
  for (const [name, path] of Object.entries(artifacts)) {
    const at = join(paths.dir, path);
    // Of a short training the first, middle and last checkpoint are one folder.
    if (seen.has(at)) continue;
    const found = await digestOf(at);
    seen.set(at, found);
    if (found === digests[name]) continue;
    const reason = `expected sha256 ${digests[name]}, got ${found ?? 'nothing: it is not there'}`;
    const moved_to = found === null || at === last ? null : await quarantine(at, reason, paths.quarantine);
    quarantined.push({ name: path, reason, moved_to });
  }
  return quarantined;
}
