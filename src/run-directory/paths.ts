import { isAbsolute, join, resolve } from 'node:path';
import { RunName } from '../contracts/spec/run-name.ts';

/** Names of everything in a run directory. Nothing outside src/run-directory spells an artifact's name. */

export type StagePaths = ReturnType<typeof stagePaths>;
export type RunFolder = ReturnType<typeof pathsIn>;
export type RunPaths = ReturnType<typeof runPaths>;

/** An error about the name of a run. */
export class InvalidRunName extends Error {
  override name = 'InvalidRunName';
}

/** Six digits, so that names sort as numbers do. */
export const sixDigits = (n: number) => String(n).padStart(6, '0');

/** Folder name of the checkpoint that epoch `epoch` commits at `step`. */
export const checkpointName = (step: number, epoch: number) => `step-${sixDigits(step)}.e${epoch}`;

/** Step and epoch of a checkpoint's name, or null if `name` is none. */
export function parseCheckpointName(name: string) {
  const match = /^step-(\d{6,})\.e(\d+)$/.exec(name);
  return match ? { step: Number(match[1]), epoch: Number(match[2]) } : null;
}

/** Stage, epoch and number of a ledger segment's file name, or null if `name` is none. */
export function parseSegmentName(name: string) {
  const match = /^([a-z]+)-e(\d+)-(\d+)\.jsonl$/.exec(name);
  return match ? { stage: match[1] ?? '', epoch: Number(match[2]), number: Number(match[3]) } : null;
}

/** File name of a ledger segment: only the attempt that took the epoch writes it. */
export const segmentName = (stage: string, epoch: number, number: number) =>
  `${stage}-e${epoch}-${sixDigits(number)}.jsonl`;

/** Where the seal of a segment is: its length and digest, once it is closed. */
export const sealPath = (segmentPath: string): string => segmentPath.replace(/\.jsonl$/, '.seal.json');

/** The segment whose seal `name` is; other names stay as they are. */
export const segmentOfSeal = (name: string): string => name.replace(/\.seal\.json$/, '.jsonl');

/** Where the key index of a sealed segment is. */
export const indexPath = (segmentPath: string): string => segmentPath.replace(/\.jsonl$/, '.index');

function stagePaths(runDir: string, name: string) {
  const dir = join(runDir, name);
  const epoch = (n: number) => {
    const epochDir = join(dir, 'epochs', sixDigits(n));
    return {
      dir: epochDir,
      record: join(epochDir, 'epoch.json'),
      record_sha256: join(epochDir, 'epoch.sha256'),
      request: join(epochDir, 'request.json'),
      outcome: join(epochDir, 'outcome.json'),
      head: join(epochDir, 'HEAD'),
      result_sha256: join(epochDir, 'result.sha256'),
    };
  };
  const checkpoints = join(dir, 'checkpoints');
  return {
    name,
    dir,
    epochs: join(dir, 'epochs'),
    epoch,
    checkpoints,
    checkpoint: (checkpoint: string) => join(checkpoints, checkpoint),
    rollouts: (checkpoint: string) => join(checkpoints, checkpoint, 'rollouts.jsonl'),
    result: join(dir, 'result.json'),
    stop: (reservation: string) => join(dir, 'stops', `${encodeURIComponent(reservation)}.json`),
  };
}

/**
 * Every path of the run `run` under `root` (GAVEL_ROOT). Nothing needs to exist.
 * Throws InvalidRunName for a name that could climb out of `runs/`.
 */
export function runPaths(root: string, run: string) {
  if (!RunName.safeParse(run).success) {
    throw new InvalidRunName(`Expected a run name (${RunName.description}), got ${JSON.stringify(run)}.`);
  }
  return { root, run, ...pathsIn(join(root, 'runs', run)) };
}

/** Every path in the run directory `dir`; an outside audit's folder has the same ones. */
export function pathsIn(dir: string) {
  const report = join(dir, 'report');
  const data = join(dir, 'data');
  const grader = join(dir, 'grader');
  return {
    dir,
    spec: join(dir, 'spec.json'),
    rubric: join(dir, 'rubric.json'),
    run_json: join(dir, 'run.json'),
    fit_request: join(dir, 'fit-request.json'),
    fit: join(dir, 'fit.json'),
    data: {
      dir: data,
      train: join(data, 'train.jsonl'),
      eval: join(data, 'eval.jsonl'),
      audit: join(data, 'audit.jsonl'),
      outcome: join(data, 'outcome.json'),
    },
    tokenizer: (role: string) => join(dir, 'tokenizers', role),
    endpoints: join(dir, 'endpoints'),
    endpoint: (role: string) => join(dir, 'endpoints', `${role}.json`),
    traces: join(dir, 'traces'),
    segment: (stage: string, epoch: number, n: number) => join(dir, 'traces', segmentName(stage, epoch, n)),
    stage: (name: string) => stagePaths(dir, name),
    grader,
    merged: join(grader, 'merged'),
    report: {
      dir: report,
      html: join(report, 'report.html'),
      audit: join(report, 'audit.json'),
      metrics: join(report, 'metrics.jsonl'),
      overrides: join(report, 'overrides.jsonl'),
      interruptions: join(report, 'interruptions.jsonl'),
      alarms: join(report, 'alarms.jsonl'),
    },
    logs: join(dir, 'logs'),
    log: (name: string) => join(dir, 'logs', `${name}.log`),
    quarantine: join(dir, 'quarantine'),
  };
}

/** A path from the spec: absolute as it is, relative under `root` (GAVEL_ROOT). */
export const resolveUnder = (root: string, path: string) => (isAbsolute(path) ? path : resolve(root, path));
