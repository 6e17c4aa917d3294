import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MetricLine, RolloutRecord } from '../../src/contracts/stage.ts';
import { readTraces } from '../../src/ledger/reader.ts';
import { readJsonLines } from '../../src/run-directory/files.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { readResult } from '../../src/run-directory/result.ts';
import { readRootId } from '../../src/run-directory/root.ts';
import { loadSpec } from '../../src/spec/load-spec.ts';
import { taskQueue } from '../../src/temporal/task-queues.ts';
import { openSandbox, type Sandbox, taggedWith, until } from './sandbox.ts';

/** The spec for eight H100, shrunk to this machine: tiny models, two steps, no GPUs, and the real GSM8K prompts. */

const package_root = fileURLToPath(new URL('../..', import.meta.url));
const data = join(package_root, '../shared/data/gsm8k');
const present = existsSync(join(data, 'train.jsonl'));
if (!present) console.warn(`SKIPPED: no GSM8K at ${data}; the run on its prompts is not tested.`);

const RUN = 'gsm8k-tiny';
let sandbox: Sandbox;
let up: Awaited<ReturnType<Sandbox['up']>>;

beforeAll(async () => {
  if (!present) return;
  sandbox = await openSandbox();
  up = await sandbox.up();
});

afterAll(async () => {
  await up?.stop();
  sandbox?.close();
});

/** The shipped spec with nothing changed but what this machine cannot hold. */
function shrunk() {
  const spec = loadSpec(join(package_root, 'examples/gsm8k-8xh100.yaml'));
  return {
    ...spec,
    run: RUN,
    task: { ...spec.task, path: data, train_prompts: 64, eval_prompts: 4, audit_prompts: 4 },
    policy: {
      ...spec.policy,
      model: 'tiny/policy',
      revision: null,
      serve: { ...spec.policy.serve, data_parallel_size: 1, dtype: 'float32' },
    },
    judge: {
      ...spec.judge,
      model: 'tiny/judge',
      revision: null,
      sampling: { temperature: 0, max_tokens: 16 },
      serve: { ...spec.judge.serve, data_parallel_size: 1, dtype: 'float32' },
    },
    grpo: {
      ...spec.grpo,
      ...{ steps: 2, prompts_per_step: 2, num_generations: 4, max_completion_tokens: 16 },
      ...{ micro_batch_size: 4, processes: 1, save_every: 1 },
    },
    base: { ...spec.base, model: 'tiny/policy', revision: null, serve: { ...spec.base.serve, dtype: 'float32' } },
    grader: { ...spec.grader, serve: { ...spec.grader.serve, dtype: 'float32' } },
    sft: { ...spec.sft, processes: 1 },
    placement: { judge_gpus: 0, rollout_gpus: 0, trainer_gpus: 0, grader_gpus: 0 },
  };
}

describe.skipIf(!present)('the spec for eight H100 on tiny models', () => {
  it('takes two steps on real GSM8K prompts, sampled by a server that is killed once, and lets the verifier decide alone where the judge answers nonsense', async () => {
    for (const [seed, name] of ['policy', 'judge'].entries()) {
      const script = join(package_root, 'test/fixtures/models/make-byte-model.py');
      await execa(join(package_root, '.venv/bin/python'), [script, join(sandbox.root, 'tiny', name), String(seed)]);
    }
    writeFileSync(join(sandbox.root, 'tiny.json'), JSON.stringify(shrunk()));
    const start = ['workflow', 'start', '--type', 'gavelPipeline', '--task-queue', taskQueue(readRootId(sandbox.root))];
    const started = await sandbox.temporal(...start, '--workflow-id', `gavel/${RUN}`, '--input-file', 'tiny.json');
    expect(started.code).toBe(0);
    const paths = runPaths(sandbox.root, RUN);
    // Its first answer takes seconds, so it has none yet.
    const published = async () => existsSync(paths.endpoint('policy-0'));
    await until('the server of the policy', 400, published);
    const server = taggedWith(`${paths.dir}/grpo/vllm-policy-0`);
    if (server === null) throw new Error('no process of the server');
    process.kill(server, 'SIGKILL');
    const end = await until('the run to end', 600, async () => {
      const { stdout } = await sandbox.gavel('status', RUN, '--json');
      const now = JSON.parse(stdout) as { state: string; failure: string | null };
      return now.state !== 'running' && now;
    });

    const result = await readResult(paths, 'grpo');
    expect(result?.step, end.failure ?? '').toBe(2);
    const prompts = readFileSync(paths.data.train, 'utf8');
    expect(prompts).toContain('#### ');
    let traces = 0;
    for await (const trace of readTraces(paths.dir, { role: 'judge' })) {
      traces += 1;
      expect(trace.verdict).toBe('unparseable');
      expect(trace.score).toBeNull();
    }
    expect(traces).toBeGreaterThanOrEqual(2 * 8);
    for await (const rollout of readJsonLines(
      join(paths.stage('grpo').checkpoint('step-000002.e1'), 'rollouts.jsonl'),
      RolloutRecord,
    )) {
      expect(rollout.verifier).not.toBeNull();
      expect(rollout.reward).toBe(rollout.verifier);
    }
    // Each completion was journaled once; those of step 2 came from the adapter before the newest.
    const journal = readFileSync(join(paths.stage('grpo').epoch(1).dir, 'journal-0-000000.jsonl'), 'utf8');
    const places = journal.match(/"step":\d+,"group":\d+,"rollout":\d+/g) ?? [];
    expect(new Set(places).size).toBe(2 * 8);
    expect(places).toHaveLength(2 * 8);
    const metrics = readFileSync(paths.report.metrics, 'utf8').trim().split('\n');
    expect(metrics.map((line) => (JSON.parse(line) as MetricLine).metrics.staleness)).toEqual([0, 1]);
    expect(readFileSync(paths.report.interruptions, 'utf8')).toContain('vLLM of the policy');
    // A grader cannot be distilled from verdicts that are none, and the run says so.
    expect(end.state).toBe('failed');
    expect(end.failure).toMatch(/trace/);
  });
});
