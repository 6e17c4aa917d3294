import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { EpochRecord, Head, Manifest, RolloutRecord, StageResult } from '../../../src/contracts/stage.ts';

/**
 * A run directory as docs/run-directory.md describes it, read without any of gavel's own readers: a checker that asked these would
 * share their mistakes. It changes nothing, and what cannot be parsed is null.
 */
export class RunDirectory {
  readonly dir: string;

  constructor(root: string, run: string) {
    this.dir = join(root, 'runs', run);
  }

  /** Numbers of a stage's epochs, the oldest first. */
  epochs(stage: string): number[] {
    const names = namesIn(join(this.dir, stage, 'epochs')).filter((name) => /^\d+$/.test(name));
    return names.map(Number).sort((a, b) => a - b);
  }

  epoch(stage: string, epoch: number): string {
    return join(this.dir, stage, 'epochs', String(epoch).padStart(6, '0'));
  }

  record(stage: string, epoch: number): EpochRecord | null {
    const path = join(this.epoch(stage, epoch), 'epoch.json');
    const digest = read(join(this.epoch(stage, epoch), 'epoch.sha256'))?.trim();
    if (digest !== undefined && sha256Of(read(path) ?? '') !== digest) return null;
    const record = parsed<EpochRecord>(path);
    return record?.epoch === epoch && typeof record.started_at === 'string' ? record : null;
  }

  head(stage: string, epoch: number): Head | null {
    const head = parsed<Head>(join(this.epoch(stage, epoch), 'HEAD'));
    return typeof head?.checkpoint === 'string' ? head : null;
  }

  checkpoint(stage: string, name: string): string {
    return join(this.dir, stage, 'checkpoints', name);
  }

  manifest(stage: string, name: string): Manifest | null {
    const manifest = parsed<Manifest>(join(this.checkpoint(stage, name), 'manifest.json'));
    return typeof manifest?.step === 'number' && typeof manifest.files === 'object' ? manifest : null;
  }

  /** Manifests from checkpoint `name` back to its first ancestor; null, and the end, where one cannot be read. */
  *chain(stage: string, name: string | null): Generator<{ name: string; manifest: Manifest | null }> {
    while (name !== null) {
      const manifest = this.manifest(stage, name);
      yield { name, manifest };
      name = manifest?.parent ?? null;
    }
  }

  /** How the files of a checkpoint differ from its manifest; null where they do not, or it keeps only the manifest and the rollouts. */
  checkpointDamage(stage: string, name: string): string | null {
    const folder = this.checkpoint(stage, name);
    const manifest = this.manifest(stage, name);
    if (!manifest) return 'it has no manifest that can be read';
    if (manifest.name !== basename(folder)) return `its manifest is that of ${manifest.name}`;
    const pruned = existsSync(join(folder, 'pruned.json'));
    for (const [file, { bytes, sha256 }] of Object.entries(manifest.files)) {
      const path = join(folder, file);
      if (!existsSync(path)) {
        if (pruned && file !== 'rollouts.jsonl') continue;
        return `${file} is not there`;
      }
      if (statSync(path).size !== bytes) return `${file} has ${statSync(path).size} bytes, its manifest says ${bytes}`;
      if (sha256Of(readFileSync(path)) !== sha256) return `${file} is not what its manifest says`;
    }
    const known = new Set([...Object.keys(manifest.files), 'manifest.json', 'pruned.json']);
    const extra = filesUnder(folder).find((file) => !known.has(file) && !basename(file).startsWith('.'));
    return extra === undefined ? null : `${extra} is in no manifest`;
  }

  rollouts(stage: string, name: string): RolloutRecord[] {
    return jsonLines<RolloutRecord>(join(this.checkpoint(stage, name), 'rollouts.jsonl'));
  }

  /** A stage's result and, where it cannot count, why. */
  result(stage: string): { result: StageResult | null; damage: string | null } {
    const path = join(this.dir, stage, 'result.json');
    const text = read(path);
    if (text === null) return { result: null, damage: 'there is none' };
    const result = parsed<StageResult>(path);
    if (typeof result?.epoch !== 'number') return { result: null, damage: 'it cannot be read' };
    const said = read(join(this.epoch(stage, result.epoch), 'result.sha256'))?.trim();
    if (said !== sha256Of(text)) return { result: null, damage: `its sha256 is not that in epoch ${result.epoch}` };
    for (const [name, artifact] of Object.entries(result.artifacts)) {
      const found = artifactDigest(join(this.dir, artifact));
      if (found !== result.digests[name]) return { result: null, damage: `${artifact} is not what its digest says` };
    }
    return { result, damage: null };
  }

  /** What `record-trainer` wrote down for the trainer of an epoch. */
  operations(stage: string, epoch: number): Operation[] {
    return jsonLines<Operation>(join(this.epoch(stage, epoch), 'operations.jsonl'));
  }

  /** Rollouts that each committed step must have. */
  groupsOfAStep(): { prompts_per_step: number; num_generations: number } {
    const spec = parsed<{ grpo: { prompts_per_step: number; num_generations: number } }>(join(this.dir, 'spec.json'));
    if (!spec) throw new Error(`${this.dir}/spec.json: expected the run's spec, found nothing that can be read`);
    return spec.grpo;
  }

  /** Process that serves `role` by what its endpoint says; null where none does, or one that is not gavel's. */
  servedBy(role: string): number | null {
    return parsed<{ pid: number | null }>(join(this.dir, 'endpoints', `${role}.json`))?.pid ?? null;
  }
}

/** What a trainer did, as `record-trainer/sitecustomize.py` saw it; `at` is in seconds since 1970. */
export type Operation =
  /** It gave a file its public name; `unsynced` is what of it was not yet durable then. */
  | { op: 'publish'; path: string; from: string; at: number; unsynced: string[] }
  /** The gateway answered it with a verdict that these traces make. */
  | { op: 'acknowledge'; at: number; keys: string[] }
  /** It asked the gateway about a completion. */
  | { op: 'ask'; at: number; occasion: string }
  /** The first `bytes` of a file of the journal are durable. */
  | { op: 'journal'; at: number; path: string; bytes: number };

/** Step and epoch in a checkpoint's name. */
export function placeOf(checkpoint: string): { step: number; epoch: number } | null {
  const match = /^step-(\d{6,})\.e(\d+)$/.exec(checkpoint);
  return match ? { step: Number(match[1]), epoch: Number(match[2]) } : null;
}

export const sha256Of = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/** A file's text; null where it is not there. */
export function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** JSON in a file, of whatever form; null where there is none. */
export function parsed<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}

/** The lines of a file that end as an object does: the last may have been cut by a kill. */
const jsonLines = <T>(path: string): T[] =>
  (read(path) ?? '')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as T);

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** The sha256 of a file's content, or of a folder's sorted lines `path sha256`. */
function artifactDigest(path: string): string | null {
  if (!existsSync(path)) return null;
  if (!statSync(path).isDirectory()) return sha256Of(readFileSync(path));
  const lines = filesUnder(path).map((file) => `${file} ${sha256Of(readFileSync(join(path, file)))}\n`);
  return sha256Of(lines.sort().join(''));
}
