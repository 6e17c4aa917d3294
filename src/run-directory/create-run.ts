import { createHash } from 'node:crypto';
import { access, constants, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Spec } from '../contracts/spec/spec.ts';
import { buildingPaths } from './building.ts';
import { fsyncFolder, orNull, parseContract, readContractIfAny, writeAtomic } from './files.ts';
import { type RunPaths, runPaths } from './paths.ts';

/** `run.json`: whose run this is. `first_run_id` stays when Temporal retries or resets the workflow. */
export const RunOwner = z.strictObject({
  namespace: z.string(),
  namespace_id: z.string(),
  workflow_id: z.string(),
  first_run_id: z.string(),
  spec_digest: z.string(),
});
export type RunOwner = z.output<typeof RunOwner>;

export class RunExists extends Error {
  override name = 'RunExists';
}
export class SpecChanged extends Error {
  override name = 'SpecChanged';
}
export class RunDirectoryUnwritable extends Error {
  override name = 'RunDirectoryUnwritable';
}

/** sha256 of the spec as JSON with sorted keys: equal specs have equal digests, whatever order they were written in. */
export const specDigest = (spec: object) => createHash('sha256').update(sortedJson(spec)).digest('hex');

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The workflow that a run is made for, or resumed by. */
export interface Claimant {
  namespace: string;
  /** UUID of the namespace. */
  namespace_id: string;
  workflow_id: string;
  run_id: string;
}

export interface NewRun {
  /** true: another owner may go on with a run whose spec is the same. */
  resume?: boolean;
  /** Whether a workflow of another namespace still runs: two that work on one run would take it from each other for ever. */
  stillRuns?: (owner: RunOwner) => Promise<boolean>;
  /** Puts into the folder what else belongs there, before anybody sees it. */
  fill?: (building: RunPaths) => Promise<void>;
}

/**
 * Makes the folder of a new run, whole or not at all: it is built aside and renamed into place. Of a run that is there only
 * `run.json` ever changes, when another workflow resumes it: for its own owner (an activity's retry) it is returned as it is.
 * Throws InvalidRunName, RunExists, SpecChanged (resume only), RunDirectoryUnwritable, and what `fill` throws.
 */
export async function createRun(
  root: string,
  spec: Spec,
  { run_id, ...owner }: Claimant,
  { resume = false, stillRuns = async () => false, fill = async () => {} }: NewRun = {},
): Promise<{ paths: RunPaths; created: boolean; spec_digest: string }> {
  const paths = runPaths(root, spec.run);
  const spec_digest = specDigest(spec);
  const runs = join(root, 'runs');
  const own = { ...owner, first_run_id: run_id, spec_digest };
  const acceptable = () => accept(paths, spec, own, resume, stillRuns);
  const there = await acceptable();
  if (there !== null) return { paths, created: false, spec_digest: there };

  await mkdir(runs, { recursive: true }).catch((error) => unwritable(runs, error));
  await access(runs, constants.W_OK | constants.X_OK).catch((error) => unwritable(runs, error));
  const building = buildingPaths(root, spec.run);
  try {
    await layOut(building, spec, own).catch((error) => unwritable(runs, error));
    await fill(building);
    await rename(building.dir, paths.dir);
    await fsyncFolder(runs);
  } catch (error) {
    // Deletes only its own folder: another attempt may have made the one in place since.
    await rm(building.dir, { recursive: true, force: true }).catch(() => {});
    const { code = '', syscall } = error as NodeJS.ErrnoException;
    if (syscall !== 'rename') throw error;
    // Another attempt made the run between the look and the rename: the look decides again.
    const other = ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(code) ? await acceptable() : null;
    if (other !== null) return { paths, created: false, spec_digest: other };
    unwritable(runs, error);
  }
  return { paths, created: true, spec_digest };
}

async function layOut(building: RunPaths, spec: Spec, own: RunOwner): Promise<void> {
  const stages = ['grpo', 'sft', 'audit'].map(building.stage);
  const { data, endpoints, traces, report, logs, quarantine } = building;
  const folders = [data.dir, endpoints, traces, report.dir, logs, quarantine];
  for (const folder of [...folders, ...stages.flatMap((stage) => [stage.epochs, stage.checkpoints])]) {
    await mkdir(folder, { recursive: true });
  }
  await writeAtomic(building.spec, spec);
  await writeAtomic(building.run_json, own);
}

export interface StoredSpec {
  spec: Spec;
  /** Of the file: a field that a later version added is not in it, and its default does not make another spec of it. */
  digest: string;
}

/** The stored spec of a run; null where there is none. */
export async function storedSpec(paths: RunPaths): Promise<StoredSpec | null> {
  const text = await readFile(paths.spec, 'utf8').catch(orNull);
  if (text === null) return null;
  return { spec: parseContract(text, Spec, paths.spec), digest: specDigest(JSON.parse(text)) };
}

/**
 * The stored spec of a run. Throws where there is no such run, and SpecChanged where the spec's digest is not `expected`: the file
 * was edited or damaged since.
 */
export async function readStoredSpec(paths: RunPaths, expected?: string): Promise<StoredSpec> {
  const stored = await storedSpec(paths);
  if (!stored) throw new Error(`There is no run ${paths.run}: ${paths.spec} does not exist.`);
  if (expected === undefined || stored.digest === expected) return stored;
  throw new SpecChanged(
    `Expected ${paths.spec} to be the spec that the run was made with (digest ${expected.slice(0, 12)}), ` +
      `found digest ${stored.digest.slice(0, 12)}. A run's spec never changes: put the file back.`,
  );
}

/** As readStoredSpec, without the digest. */
export const readSpec = async (paths: RunPaths, expected?: string): Promise<Spec> =>
  (await readStoredSpec(paths, expected)).spec;

/** Whose run it is; null where there is none. */
export const readOwner = (paths: RunPaths): Promise<RunOwner | null> => readContractIfAny(paths.run_json, RunOwner);

/** The digest of the run's spec where the run is there and `claimant` may use it; null where there is none. */
async function accept(
  paths: RunPaths,
  spec: Spec,
  claimant: RunOwner,
  resume: boolean,
  stillRuns: (owner: RunOwner) => Promise<boolean>,
): Promise<string | null> {
  const found = await readOwner(paths);
  if (!found) {
    const exists = await access(paths.dir).then(() => true, orNull);
    if (!exists || (await isEmptyFolder(paths.dir))) return null;
    throw new RunExists(
      `Expected ${paths.dir} to be free for run ${paths.run}, got something that is no run (it has no run.json). ` +
        `Move it away, or take another name with --run NAME.`,
    );
  }
  const isSame = found.spec_digest === claimant.spec_digest || (await hasSpec(paths, spec));
  const own = isSame ? { ...claimant, spec_digest: found.spec_digest } : claimant;
  if (isDeepStrictEqual(found, own)) return own.spec_digest;
  if (!resume) {
    throw new RunExists(
      `Run ${paths.run} exists already: ${paths.dir}. ` +
        `Take another name with --run NAME, or go on with it: gavel run runs/${paths.run}/spec.json --resume.`,
    );
  }
  if (!isSame) {
    throw new SpecChanged(
      `Expected the spec that run ${paths.run} was started with (${paths.spec}, digest ${found.spec_digest.slice(0, 12)}), ` +
        `got digest ${own.spec_digest.slice(0, 12)}. A run's spec never changes: take another name with --run NAME.`,
    );
  }
  // Within a namespace the server sees to it that one workflow of an id runs.
  if (found.namespace_id !== own.namespace_id && (await stillRuns(found))) {
    throw new RunExists(
      `Run ${paths.run} still goes on: workflow ${found.workflow_id} in the namespace ${found.namespace}. Cancel it there, ` +
        `then resume here: gavel run runs/${paths.run}/spec.json --resume.`,
    );
  }
  // The next workflow that resumes the run has to ask whether this one still runs.
  await writeAtomic(paths.run_json, own);
  return own.spec_digest;
}

/** Whether the run's spec says the same as `spec`, with the defaults that both have now. */
async function hasSpec(paths: RunPaths, spec: Spec): Promise<boolean> {
  const stored = await storedSpec(paths);
  return stored !== null && specDigest(stored.spec) === specDigest(spec);
}

async function isEmptyFolder(path: string) {
  return (await readdir(path).catch(() => ['?'])).length === 0;
}

function unwritable(folder: string, error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  throw new RunDirectoryUnwritable(
    `Expected ${folder} to be a folder that this worker may write, got ${code ?? 'an error'}: ${message}. ` +
      `Nothing was changed. Fix its owner, mode or free space, or set GAVEL_ROOT.`,
    { cause: error },
  );
}
