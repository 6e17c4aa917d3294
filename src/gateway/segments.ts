import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EpochRecord } from '../contracts/stage.ts';
import type { StageName } from '../contracts/trace.ts';

/** A file of the ledger, and how many of its first bytes count. */
export interface Segment {
  name: string;
  path: string;
  stage: StageName;
  epoch: number;
  n: number;
  /** Bytes in the file now. */
  bytes: number;
  /** Bytes that count: later ones were written by an epoch that had been replaced. */
  accepted: number;
}

export interface Seal {
  bytes: number;
  sha256: string;
  keys: number;
}

const NAME = /^(grpo|sft|audit|serve)-e(\d+)-(\d{6})\.jsonl$/;

export const tracesFolder = (run_dir: string): string => join(run_dir, 'traces');

/** `grpo-e7-000001.jsonl`; stages without epochs write as epoch 0. */
export const segmentName = (stage: StageName, epoch: number | null, n: number): string =>
  `${stage}-e${epoch ?? 0}-${String(n).padStart(6, '0')}.jsonl`;

export const sealPath = (segmentPath: string): string => segmentPath.replace(/\.jsonl$/, '.seal.json');

/** All segments of a run, oldest first within a stage, with what counts of each by the newest epoch of its stage. */
export function listSegments(run_dir: string): Segment[] {
  const folder = tracesFolder(run_dir);
  const epochs = new Map<string, { newest: number | null; accepted: Record<string, number> }>();
  const segments: Segment[] = [];
  for (const name of namesIn(folder)) {
    const match = NAME.exec(name);
    if (!match) continue;
    const stage = match[1] as StageName;
    let rule = epochs.get(stage);
    if (!rule) {
      rule = newestEpoch(run_dir, stage);
      epochs.set(stage, rule);
    }
    const path = join(folder, name);
    const { size: bytes } = statSync(path);
    const epoch = Number(match[2]);
    let accepted = bytes;
    if (rule.newest !== null && epoch < rule.newest) accepted = Math.min(bytes, rule.accepted[name] ?? 0);
    if (rule.newest !== null && epoch > rule.newest) accepted = 0;
    segments.push({ name, path, stage, epoch, n: Number(match[3]), bytes, accepted });
  }
  return segments.sort((a, b) => a.stage.localeCompare(b.stage) || a.epoch - b.epoch || a.n - b.n);
}

/** What a new epoch of `stage` writes into its epoch.json: the length of every older segment of that stage that has counted so far. */
export function acceptedLengths(run_dir: string, stage: StageName): Record<string, number> {
  const older = listSegments(run_dir).filter((segment) => segment.stage === stage);
  return Object.fromEntries(older.map(({ name, path, accepted }) => [name, wholeLines(path, accepted)]));
}

/** Length of `path` up to and including its last line end before `limit`. */
export function wholeLines(path: string, limit: number): number {
  const bytes = readFileSync(path).subarray(0, limit);
  return bytes.lastIndexOf(0x0a) + 1;
}

function newestEpoch(run_dir: string, stage: string): { newest: number | null; accepted: Record<string, number> } {
  const folder = join(run_dir, stage, 'epochs');
  const numbers = namesIn(folder).filter((name) => /^\d{6}$/.test(name));
  const newest = numbers.at(-1);
  if (newest === undefined) return { newest: null, accepted: {} };
  try {
    const record = EpochRecord.parse(JSON.parse(readFileSync(join(folder, newest, 'epoch.json'), 'utf8')));
    return { newest: Number(newest), accepted: record.accepted_segments };
  } catch (error) {
    throw new Error(
      `${join(folder, newest, 'epoch.json')}: Expected an epoch record, got: ${(error as Error).message}`,
    );
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
