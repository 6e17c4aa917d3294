import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Audit, type Measure } from '../../src/contracts/audit.ts';
import type { Interruption } from '../../src/contracts/interruption.ts';
import { Spec } from '../../src/contracts/spec/spec.ts';
import type { MetricLine, StageResult } from '../../src/contracts/stage.ts';
import { type RunPaths, runPaths } from '../../src/run-directory/paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** A run directory as a finished run leaves it, with figures of the size that the demo has. */

const m = (point: number | null, half: number, n: number): Measure => ({
  point,
  low: point === null ? null : Number((point - half).toFixed(4)),
  high: point === null ? null : Number((point + half).toFixed(4)),
  n,
});

const judgeScores = [62, 38, 71, 55, 66, 24, 18, 84, 31, 211];

/** Mostly on the diagonal, some one off, a few far off. */
const confusion = judgeScores.map((rows, judge) => {
  const row = new Array<number>(10).fill(0);
  const near = Math.round(rows * 0.08);
  const far = Math.round(rows * 0.03);
  row[Math.max(0, judge - 1)] = (row[Math.max(0, judge - 1)] as number) + near;
  row[Math.min(9, judge + 1)] = (row[Math.min(9, judge + 1)] as number) + near;
  row[9 - judge] = (row[9 - judge] as number) + far;
  row[judge] = (row[judge] as number) + rows - 2 * near - far;
  return row;
});

const fidelity = (kappa: number, exact: number, n = 660) => ({
  quadratic_weighted_kappa: m(kappa, 0.031, n),
  exact: m(exact, 0.029, n),
  within_1: m(Math.min(0.98, exact + 0.12), 0.02, n),
  mean_absolute_error: m(0.41, 0.06, n),
  bias: m(-0.08, 0.05, n),
});

const truthOf = (balanced: number, right: number, wrong: number) => ({
  balanced_accuracy: m(balanced, 0.026, 660),
  accuracy: m(balanced + 0.005, 0.025, 660),
  true_positive_rate: m(right, 0.024, 385),
  true_negative_rate: m(wrong, 0.041, 275),
});

const pass = (
  role: 'judge' | 'grader' | 'base',
  mode: 'reasoned' | 'single_token',
  perSecond: number,
  tokens: number,
) => ({
  ...{ role, mode, model: role, rows: 660, asked: role === 'judge' ? 655 : 660, seconds: 660 / perSecond },
  ...{ verdicts_per_s: perSecond, prompt_tokens: 660 * 58, completion_tokens: Math.round(660 * tokens) },
});

export const audit = Audit.parse({
  ...{ version: 1, run: 'demo', created_at: '2026-05-04T10:11:12.000Z', rows: 660, prompts: 110, excluded_rows: 6 },
  ...{
    headline_mode: 'single_token',
    reference_guided: false,
    threshold: 4.5,
    confidence: 0.95,
    bootstrap_samples: 2000,
  },
  fidelity: { ...fidelity(0.862, 0.783), confusion },
  fidelity_by_mode: { single_token: fidelity(0.862, 0.783), reasoned: fidelity(0.831, 0.802) },
  base_fidelity: fidelity(0.052, 0.131),
  truth: {
    ...{ n_right: 385, n_wrong: 275, judge: truthOf(0.905, 0.951, 0.859), grader: truthOf(0.884, 0.942, 0.826) },
    base: truthOf(0.508, 0.91, 0.106),
    grader_minus_judge: { balanced_accuracy: m(-0.021, 0.018, 660) },
  },
  teacher_wrong: {
    rows: 61,
    grader_follows_truth: m(0.312, 0.115, 61),
    grader_wrong_given_judge_right: m(0.043, 0.017, 599),
  },
  coverage: {
    ...{ grader: m(0.998, 0.002, 660), judge: m(0.992, 0.006, 660) },
    counts: {
      judge: { scored: 655, unparseable: 5 },
      grader: { scored: 659, unparseable: 1 },
      base: { scored: 648, unparseable: 12 },
    },
    value_rules: {
      judge: { expectation: 655 },
      grader: { expectation: 657, score: 2 },
      base: { expectation: 648 },
    },
  },
  judge_scores: judgeScores,
  passes: [
    pass('judge', 'reasoned', 92.4, 42.1),
    pass('grader', 'single_token', 512.9, 1),
    pass('grader', 'reasoned', 121.7, 40.3),
    pass('base', 'single_token', 508.1, 1),
  ],
  speed: { grader_over_judge: 5.55, same_mode: 1.32 },
  policy: { first: m(0.455, 0.062, 200), last: m(0.72, 0.058, 200), gain: m(0.265, 0.074, 200) },
  gates: [
    { measure: 'fidelity.quadratic_weighted_kappa', at_least: 0.75, value: m(0.862, 0.031, 660), verdict: 'PASS' },
    {
      measure: 'truth.grader_minus_judge.balanced_accuracy',
      at_least: -0.05,
      value: m(-0.021, 0.018, 660),
      verdict: 'PASS',
    },
    { measure: 'coverage.grader', at_least: 0.95, value: m(0.998, 0.002, 660), verdict: 'PASS' },
  ],
  verdict: 'PASS',
});

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
