import { createHash } from 'node:crypto';
import { link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Spec } from '../../src/contracts/spec/spec.ts';
import type { Endpoint, StageResult } from '../../src/contracts/stage.ts';
import { createRun } from '../../src/run-directory/create-run.ts';
import { digestOf } from '../../src/run-directory/digest.ts';
import { writeAtomic } from '../../src/run-directory/files.ts';
import { checkpointName, type RunPaths } from '../../src/run-directory/paths.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export const aSpec = (run = 'first', seed = 0) =>
  Spec.parse({
    run,
    task: { name: 'poly_easy', seed },
    policy: { model: 'models/policy' },
    judge: { model: 'models/judge', rubric: 'examples/rubric.json' },
    base: { model: 'models/base' },
  });

export const owner = {
  namespace: 'default',
  namespace_id: 'id of default',
  workflow_id: 'gavel/first',
  run_id: 'a-run-id',
};

export async function aRun() {
  const { paths } = await createRun(temporaryFolder('test'), aSpec(), owner);
  return paths;
}

interface Commit {
  epoch: number;
  step: number;
  parent?: string | null;
  head?: boolean;
  /** Trace keys of each rollout since the parent. */
  rollouts?: string[][];
}

/** Commits a checkpoint by the protocol of the architecture: files, manifest last, then HEAD of its epoch. */
export async function commit(paths: RunPaths, { epoch, step, parent = null, head = true, rollouts = [] }: Commit) {
  const stage = paths.stage('grpo');
  const name = checkpointName(step, epoch);
  const folder = stage.checkpoint(name);
  await mkdir(folder, { recursive: true });
  const weights = `weights of ${name}`.repeat(100);
  await writeFile(join(folder, 'adapter.safetensors'), weights);
  const lines = rollouts.map((trace_keys) => `${JSON.stringify({ step, trace_keys })}\n`).join('');
  if (rollouts.length > 0) await writeFile(join(folder, 'rollouts.jsonl'), lines);
  const manifest = `${JSON.stringify({
    stage: 'grpo',
    name,
    epoch,
    step,
    parent,
    files: {
      'adapter.safetensors': { bytes: weights.length, sha256: sha256(weights) },
      ...(rollouts.length > 0 && { 'rollouts.jsonl': { bytes: lines.length, sha256: sha256(lines) } }),
    },
    rng_sha256: null,
    metrics: { reward: 0.5 },
    created_at: '2030-01-01T00:00:00Z',
  })}\n`;
  await writeFile(join(folder, 'manifest.json'), manifest);
  if (head) {
    await writeAtomic(stage.epoch(epoch).head, { checkpoint: name, step, manifest_sha256: sha256(manifest) });
  }
  return name;
}

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

/** Publishes as a trainer does: the epoch's own file, its digest, then a second name for the file. */
export async function publish(paths: RunPaths, checkpoints: string[] = []) {
  const { epoch, dir } = await takeEpoch(paths, 'grpo', { node: 'a', pid: 1 });
  const rows = join(dir, 'audit-rows.jsonl');
  await writeFile(rows, '{"id":"r0"}\n');
  const at: Record<string, string> = { audit_rows: rows };
  for (const [n, name] of checkpoints.entries()) at[`checkpoint_${n}`] = paths.stage('grpo').checkpoint(name);
  const digests: Record<string, string> = {};
  for (const [name, path] of Object.entries(at)) digests[name] = (await digestOf(path)) ?? '';
  await writeAtomic(join(dir, 'result.json'), {
    stage: 'grpo',
    epoch,
    step: 30,
    checkpoint: checkpoints.at(-1) ?? null,
    metrics: { reward: 0.5 },
    artifacts: Object.fromEntries(Object.entries(at).map(([name, path]) => [name, relative(paths.dir, path)])),
    digests,
    finished_at: '2030-01-01T00:00:00Z',
  } satisfies StageResult);
  const bytes = await readFile(join(dir, 'result.json'));
  await writeFile(join(dir, 'result.sha256'), `${sha256(bytes)}\n`);
  await link(join(dir, 'result.json'), paths.stage('grpo').result);
  return { epoch, rows, path: paths.stage('grpo').result, bytes };
}

/** Where a judge is served, in every field. */
export const anEndpoint: Endpoint = {
  role: 'judge',
  base_url: 'http://127.0.0.1:8000/v1',
  model: 'judge',
  model_digest: null,
  pid: 12,
  host: 'a',
  api_key_env: null,
  api_key_file: null,
  started_at: '2030-01-01T00:00:00Z',
};
