import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Head, Manifest } from '../contracts/stage.ts';
import { failpoint } from '../failpoints.ts';
import { PRUNED, type Quarantined, quarantine, type Verified, verifyCheckpoint } from './checkpoints.ts';
import { damagedIsNull, readEpoch } from './epoch-records.ts';
import { orNull, readContractIfAny } from './files.ts';
import { parseCheckpointName, type RunPaths, type StagePaths } from './paths.ts';

/** The chain of a stage's checkpoints: each names its parent, and the newest one that verifies is where the next attempt starts. */

export interface Resume {
  name: string;
  folder: string;
  step: number;
}

/** The newest checkpoint of the chain that verifies; broken ones on the way go to quarantine. */
export async function findResume(paths: RunPaths, name: string, before: number) {
  const stage = paths.stage(name);
  const quarantined: Quarantined[] = [];
  let next = failpoint('start-afresh') ? null : await tipOfChain(paths, name, before - 1);
  while (next) {
    const folder = stage.checkpoint(next.name);
    if (await stat(join(folder, PRUNED)).catch(orNull)) {
      const link = await readManifest(folder);
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

/** Names of the checkpoint `tip` and of all before it in its chain, newest first. Pruned ones are links like any other. */
export async function* chainOf(paths: RunPaths, stage: string, tip: string): AsyncGenerator<string> {
  for (let next: Candidate | null = { name: tip }; next !== null; ) {
    yield next.name;
    const link = await readManifest(paths.stage(stage).checkpoint(next.name));
    next = await parentOf(paths, stage, next.name, link?.parent);
  }
}

/** The same, oldest first: how a trainer is given the result of the walk. */
export async function namesUpTo(paths: RunPaths, stage: string, tip: string): Promise<string[]> {
  const names: string[] = [];
  for await (const name of chainOf(paths, stage, tip)) names.unshift(name);
  return names;
}

const readManifest = (folder: string) =>
  readContractIfAny(join(folder, 'manifest.json'), Manifest).catch(damagedIsNull);

interface Candidate {
  name: string;
  manifest_sha256?: string;
}

/** HEAD of the newest epoch up to `epoch` that has one, or what the newest one with a record started from. */
async function tipOfChain(paths: RunPaths, name: string, epoch: number): Promise<Candidate | null> {
  for (let at = epoch; at > 0; at -= 1) {
    const head = await readContractIfAny(paths.stage(name).epoch(at).head, Head).catch(damagedIsNull);
    if (head && parseCheckpointName(head.checkpoint)) {
      return { name: head.checkpoint, manifest_sha256: head.manifest_sha256 };
    }
    // Damaged or gone. Whatever this epoch gave a name to was whole before, and manifests say which was the last.
    const last = await newestOf(paths.stage(name), at, Number.POSITIVE_INFINITY);
    if (last) return { name: last };
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
