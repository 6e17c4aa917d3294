import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Spec } from '../../src/contracts/spec/spec.ts';
import type { Endpoint } from '../../src/contracts/stage.ts';
import { createRun } from '../../src/run-directory/create-run.ts';
import { writeAtomic } from '../../src/run-directory/files.ts';
import { checkpointName, type RunPaths } from '../../src/run-directory/paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export const aSpec = (run = 'first', seed = 0) =>
  Spec.parse({
    run,
    task: { name: 'poly_easy', seed },
    policy: { model: 'models/policy' },
    judge: { model: 'models/judge', rubric: 'examples/rubric.json' },
    base: { model: 'models/base' },
  });

export const owner = { workflow_id: 'gavel/first', run_id: 'a-run-id' };

export async function aRun() {
  const { paths } = await createRun(temporaryFolder('test'), aSpec(), owner);
  return paths;
}

/** Commits a checkpoint by the protocol of the architecture: files, manifest last, then HEAD of its epoch. */
export async function commit(
  paths: RunPaths,
  { epoch, step, parent = null, head = true }: { epoch: number; step: number; parent?: string | null; head?: boolean },
) {
  const stage = paths.stage('grpo');
  const name = checkpointName(step, epoch);
  const folder = stage.checkpoint(name);
  await mkdir(folder, { recursive: true });
  const weights = `weights of ${name}`.repeat(100);
  await writeFile(join(folder, 'adapter.safetensors'), weights);
  const manifest = `${JSON.stringify({
    stage: 'grpo',
    name,
    epoch,
    step,
    parent,
    files: { 'adapter.safetensors': { bytes: weights.length, sha256: sha256(weights) } },
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

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Where a judge is served, in every field. */
export const anEndpoint: Endpoint = {
  role: 'judge',
  base_url: 'http://127.0.0.1:8000/v1',
  model: 'judge',
  model_digest: null,
  pid: 12,
  host: 'a',
  api_key_env: null,
  started_at: '2030-01-01T00:00:00Z',
};
