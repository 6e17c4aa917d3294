/**
 * Writes what GRPO leaves in a run directory. `node run.ts ROOT TRACES` begins the run `bench` under ROOT with a segment's worth of traces
 * after the other, sealed, and a pruned checkpoint every ten steps; `node run.ts ROOT TRACES EPOCH` lets that epoch go on.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest, RolloutRecord } from '../../src/contracts/stage.ts';
import { SegmentWriter } from '../../src/ledger/writer.ts';
import { PRUNED } from '../../src/run-directory/checkpoints.ts';
import { writeEpoch } from '../../src/run-directory/epoch-records.ts';
import { checkpointName, parseCheckpointName, runPaths } from '../../src/run-directory/paths.ts';
import { loadSpec } from '../../src/spec/load-spec.ts';
import { IN_STEP, trace } from './trace.ts';

/** Traces of this size make a segment full. */
const IN_SEGMENT = 80_000;
const IN_BATCH = 1000;
/** Steps between checkpoints, as a spec has them that says nothing. */
const SAVE_EVERY = 10;
const IN_CHECKPOINT = SAVE_EVERY * IN_STEP;

const [root, count, later] = process.argv.slice(2) as [string, string, string | undefined];
const paths = runPaths(root, 'bench');
const stage = paths.stage('grpo');
const epoch = Number(later ?? 1);
const digest = (text: string) => createHash('sha256').update(text).digest('hex');

async function begin(): Promise<void> {
  mkdirSync(stage.checkpoints, { recursive: true });
  mkdirSync(stage.epoch(1).dir, { recursive: true });
  const spec = loadSpec('examples/poly-easy-smoke.yaml', { run: 'bench' });
  writeFileSync(paths.spec, JSON.stringify({ ...spec, sft: { ...spec.sft, modes: ['reasoned'], max_examples: null } }));
  const who = { node: 'bench', pid: 1, owner: null, started_at: new Date().toISOString() };
  const nothing = { starts_from: null, accepted_segments: {}, missing_traces: 0 };
  await writeEpoch(paths, { stage: 'grpo', epoch, ...who, ...nothing });
}

async function writeTraces(from: number, end: number): Promise<void> {
  for (let n = from; n < end; ) {
    const writer = await SegmentWriter.create(paths.dir, 'grpo', epoch, 1);
    for (const full = Math.min(end, n + IN_SEGMENT); n < full; ) {
      const first = n;
      n = Math.min(full, n + IN_BATCH);
      await writer.write(Array.from({ length: n - first }, (_, at) => trace(first + at)));
    }
    await writer.seal();
  }
}

function rollout(n: number): RolloutRecord {
  const { key, completion, score, value } = trace(n);
  const place = { step: 1 + Math.floor(n / IN_STEP), group: 0, rollout: n % IN_STEP, prompt_id: 'p' };
  const said = { completion, trace_keys: [key], verdict: 'scored' as const, score, value };
  return { ...place, ...said, comparisons: null, verifier: 1, hidden_verifier: null, reward: 0.5, advantage: 0 };
}

/** The newest one is whole, as far as a manifest without weights can be. */
async function writeCheckpoint(from: number, parent: string | null, newest: boolean): Promise<string> {
  const step = (from + IN_CHECKPOINT) / IN_STEP;
  const name = checkpointName(step, epoch);
  const folder = stage.checkpoint(name);
  await mkdir(folder);
  const rows = Array.from({ length: IN_CHECKPOINT }, (_, at) => `${JSON.stringify(rollout(from + at))}\n`).join('');
  const files = { 'rollouts.jsonl': { bytes: Buffer.byteLength(rows), sha256: digest(rows) } };
  const about = { rng_sha256: null, metrics: { reward: 0.5 }, created_at: new Date().toISOString() };
  const manifest = JSON.stringify({ stage: 'grpo', name, epoch, step, parent, files, ...about } satisfies Manifest);
  await writeFile(join(folder, 'rollouts.jsonl'), rows);
  await writeFile(join(folder, 'manifest.json'), manifest);
  if (!newest) return name;
  await writeFile(
    stage.epoch(epoch).head,
    JSON.stringify({ checkpoint: name, step, manifest_sha256: digest(manifest) }),
  );
  return name;
}

if (epoch === 1) await begin();
const steps = readdirSync(stage.checkpoints).map((name) => ({ name, step: parseCheckpointName(name)?.step ?? 0 }));
let parent: string | null = steps.sort((a, b) => a.step - b.step).at(-1)?.name ?? null;
const from = (steps.at(-1)?.step ?? 0) * IN_STEP;
const end = from + Number(count);
await writeTraces(from, end);
for (let n = from; n < end; n += IN_CHECKPOINT) {
  const last: string | null = parent;
  parent = await writeCheckpoint(n, last, n + IN_CHECKPOINT >= end);
  if (last !== null)
    await writeFile(join(stage.checkpoint(last), PRUNED), '{"kept":["manifest.json","rollouts.jsonl"]}\n');
}
