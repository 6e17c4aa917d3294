import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Alarm } from '../../src/contracts/alarm.ts';
import type { Interruption } from '../../src/contracts/interruption.ts';
import { Spec } from '../../src/contracts/spec/spec.ts';
import type { MetricLine, StageResult } from '../../src/contracts/stage.ts';
import { type RunPaths, runPaths } from '../../src/run-directory/paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** A run directory as a finished run leaves it, but for its audit. */

/** Sixty steps; the first epoch was interrupted after step 27 and the second went on from step 20. */
export const metrics: MetricLine[] = [...steps(1, 1, 27), ...steps(2, 21, 60)];

function steps(epoch: number, from: number, to: number): MetricLine[] {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    const step = from + index;
    const noise = Math.sin(step * 12.9898 + epoch) * 0.07;
    const accuracy = 0.45 + 0.28 * (1 - Math.exp(-step / 25)) + noise;
    const score = 9 * (0.56 + 0.25 * (1 - Math.exp(-step / 22)) + noise * 0.8);
    const values = { verifier_accuracy: accuracy, judge_value: score, reward: (accuracy + score / 9) / 2 };
    return { stage: 'grpo', epoch, step, at: '2026-05-04T10:05:00.000Z', metrics: values };
  });
}

export const stages: StageResult[] = [
  {
    stage: 'grpo',
    epoch: 2,
    step: 60,
    checkpoint: 'step-000060.e2',
    metrics: { eval_first: 0.455, eval_last: 0.72 },
    artifacts: {},
    digests: {},
    finished_at: '2026-05-04T10:07:30.000Z',
  },
  {
    stage: 'sft',
    epoch: 1,
    step: 240,
    checkpoint: 'step-000240.e1',
    metrics: { loss: 0.214 },
    artifacts: {},
    digests: {},
    finished_at: '2026-05-04T10:09:20.000Z',
  },
  {
    stage: 'audit',
    epoch: 1,
    step: 0,
    checkpoint: null,
    metrics: {},
    artifacts: { audit: 'report/audit.json' },
    digests: { audit: '0'.repeat(64) },
    finished_at: '2026-05-04T10:11:12.000Z',
  },
];

export const interruptions: Interruption[] = [
  {
    at: '2026-05-04T10:05:41.000Z',
    stage: 'grpo',
    epoch: 1,
    what: 'trainer',
    cause: 'preempted',
    message: 'killed by signal 9',
    steps_lost: 7,
    seconds_to_next_commit: 14.2,
  },
  {
    at: '2026-05-04T10:06:20.000Z',
    stage: 'grpo',
    epoch: null,
    what: 'vllm',
    cause: 'crashed',
    message: 'judge: exited with code 1, log in logs/vllm-judge-1.log',
    steps_lost: 0,
    seconds_to_next_commit: 31.5,
  },
  {
    at: '2026-05-04T10:06:58.000Z',
    stage: 'grpo',
    epoch: 2,
    what: 'worker',
    cause: 'preempted',
    message: 'no heartbeat for 10 s',
    steps_lost: null,
    seconds_to_next_commit: null,
  },
];

export const ledger = {
  calls: 4420,
  replayed: 448,
  prompt_tokens: 261_338,
  completion_tokens: 186_004,
  seconds: 2871.4,
  altered: 12,
  missing: 3,
};

export const resolvedSpec = Spec.parse({
  run: 'demo',
  task: { name: 'poly_easy' },
  policy: { model: 'models/policy' },
  judge: { model: 'models/judge', rubric: 'examples/rubrics/poly-easy.yaml' },
  base: { model: 'models/grader-base' },
});

export interface Files {
  audit?: unknown;
  metrics?: readonly unknown[];
  stages?: StageResult[];
  spec?: unknown;
  rubric?: unknown;
  quarantine?: string[];
  interruptions?: Interruption[];
  alarms?: Alarm[];
}

/** Writes what is given to a new run directory and returns its paths. */
export async function runDirectory(files: Files): Promise<RunPaths> {
  const paths = runPaths(temporaryFolder('report'), 'demo');
  const folder = paths.dir;
  await mkdir(paths.report.dir, { recursive: true });
  const write = async (path: string, text: string) => {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  if (files.audit) await write('report/audit.json', JSON.stringify(files.audit));
  const lines = (all: readonly unknown[]) => all.map((line) => `${JSON.stringify(line)}\n`).join('');
  if (files.interruptions) await write('report/interruptions.jsonl', lines(files.interruptions));
  if (files.alarms) await write('report/alarms.jsonl', lines(files.alarms));
  if (files.metrics) await write('report/metrics.jsonl', lines(files.metrics));
  if (files.rubric) await write('rubric.json', JSON.stringify(files.rubric));
  if (files.spec) await write('spec.json', JSON.stringify(files.spec));
  for (const stage of files.stages ?? []) await write(`${stage.stage}/result.json`, JSON.stringify(stage));
  for (const name of files.quarantine ?? []) await setAside(write, name);
  return paths;
}

async function setAside(write: (path: string, text: string) => Promise<void>, name: string): Promise<void> {
  await write(`quarantine/${name}/manifest.json`, '{}');
  const reason = 'Expected model.safetensors to be 3252224 bytes, got 1048576.';
  await write(
    `quarantine/${name}.reason.json`,
    JSON.stringify({ from: `grpo/checkpoints/${name}`, reason, at: 'now' }),
  );
}
