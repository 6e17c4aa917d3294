import { z } from 'zod';
import { AlarmName } from './alarm.ts';
import { baseUrl } from './base-url.ts';
import { InterruptionCause } from './interruption.ts';
import { WorkflowOwner } from './reservation.ts';
import { Spec } from './spec/spec.ts';
import { Message, StageName } from './trace.ts';
import { VerdictKind } from './verdict.ts';

/** The files and lines that an activity and the child process of a stage exchange, and the files that a stage writes. */

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A segment of the ledger, and how many of its first bytes count. */
export const LedgerSegment = z.strictObject({
  path: z.string().describe('Under the run directory.'),
  stage: StageName,
  bytes: z.int().min(1),
});

/** A model as transformers loads it. */
export const LocatedModel = z.strictObject({
  path: z.string().describe('Absolute folder, or name of a model on the hub.'),
  revision: z.string().nullable().describe('Commit of the hub model; null for a folder.'),
});

/** `epochs/<n>/request.json`: written before the child starts, never changed. */
export const StageRequest = z.strictObject({
  stage: z.enum(['grpo', 'sft', 'audit']),
  run: z.string(),
  epoch: z.int().min(1),
  root: z.string().describe('GAVEL_ROOT: paths in the spec resolve under it.'),
  run_dir: z.string(),
  resume_from: z.string().nullable().describe('Folder of the checkpoint to go on from, verified; null starts afresh.'),
  chain: z
    .array(z.string())
    .describe('Names of the checkpoints up to resume_from, oldest first, pruned and damaged ones too.'),
  gateway_url: z.url().nullable().describe('Base URL of the gateway, without /v1. Its key is in GAVEL_API_KEY.'),
  ledger: z
    .array(LedgerSegment)
    .describe('What of the ledger counts when the attempt begins, of all stages, oldest first within a stage.'),
  policy_endpoints: z
    .array(z.string())
    .describe(
      'grpo: files that say where the servers are that sample rollouts; none where the trainer samples itself.',
    ),
  models: z.strictObject({ policy: LocatedModel, base: LocatedModel }),
  spec: Spec,
});

/** `epochs/<n>/epoch.json`: written once, after its digest in `epoch.sha256`. The fence is the folder, which is made exclusively. */
export const EpochRecord = z.strictObject({
  stage: StageName,
  epoch: z.int().min(1),
  node: z.string(),
  pid: z.int(),
  owner: WorkflowOwner.nullable().describe('The execution that the attempt is for; null: none of a Temporal server.'),
  started_at: z.string(),
  starts_from: z.string().nullable().describe('Name of the checkpoint this epoch goes on from.'),
  accepted_segments: z
    .record(z.string(), z.int().min(0))
    .describe('Bytes of each older ledger segment that count; the rest is void.'),
  missing_traces: z
    .int()
    .min(0)
    .describe('Traces of committed rollouts that the ledger did not hold when the epoch began.'),
});

/** `epochs/<n>/HEAD`: replaced atomically after each commit. */
export const Head = z.strictObject({ checkpoint: z.string(), step: z.int().min(0), manifest_sha256: Sha256 });

/** One file of a checkpoint. */
export const ManifestFile = z.strictObject({ bytes: z.int().min(0), sha256: Sha256 });

/** `checkpoints/<name>/manifest.json`: written last, so a folder without one was never committed. */
export const Manifest = z.strictObject({
  stage: z.enum(['grpo', 'sft', 'audit']),
  name: z.string(),
  epoch: z.int().min(1),
  step: z.int().min(0),
  parent: z.string().nullable(),
  files: z.record(z.string(), ManifestFile),
  rng_sha256: Sha256.nullable(),
  metrics: z.record(z.string(), z.number().nullable()),
  created_at: z.string(),
});

/** One rollout of a committed step, a line of `rollouts.jsonl` in its checkpoint. */
export const RolloutRecord = z.strictObject({
  step: z.int().min(1),
  group: z.int().min(0),
  rollout: z.int().min(0),
  prompt_id: z.string(),
  completion: z.string(),
  trace_keys: z.array(z.string()).describe('One per vote; every one is in the ledger.'),
  verdict: VerdictKind,
  score: z.int().min(0).max(9).nullable(),
  value: z
    .number()
    .min(0)
    .max(9)
    .nullable()
    .describe('What the reward is made of; null where the verdict has no score.'),
  comparisons: z
    .strictObject({
      pairs: z
        .int()
        .min(0)
        .describe('Pairs that it is in, those of equal texts included, which tie and nobody is asked about.'),
      compared: z.int().min(0).describe('Pairs that the judge was asked about and gave a preference for.'),
      order_dependent: z.int().min(0).describe('Of these, pairs in which the judge preferred a position.'),
      win_rate: z.number().min(0).max(1).nullable().describe('Mean of how far it wins its pairs; null: no word.'),
    })
    .nullable()
    .default(null)
    .describe('Of a judge that compares (mode pairwise); else null.'),
  verifier: z.number().min(0).max(1).nullable(),
  hidden_verifier: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .default(null)
    .describe('The check against a truth that the reward knows nothing of: task.unlabelled_fraction hid it.'),
  reward: z.number().nullable(),
  advantage: z.number().nullable(),
});

/** One row of data/{train,eval,audit}.jsonl. */
export const PromptRow = z.strictObject({
  id: z.string(),
  prompt: z.string().describe('The text of the prompt, as the judge reads it.'),
  messages: z
    .array(Message)
    .nullable()
    .default(null)
    .describe("The conversation that the policy continues; null: one user's message, the prompt."),
  ground_truth: z.string().nullable(),
  hidden_truth: z
    .string()
    .nullable()
    .default(null)
    .describe('The ground truth where task.unlabelled_fraction hides it from reward, judge and export.'),
  meta: z.record(z.string(), z.unknown()),
});

/** How far a phase is. */
export const PhaseLine = z.strictObject({
  event: z.literal('progress'),
  phase: z.string().describe('What is being done: load, train, sample, grade, compute.'),
  step: z.int().min(0),
  total: z.int().min(0),
  metrics: z.record(z.string(), z.number().nullable()).default({}),
});

/** A checkpoint is durable. */
export const CommitLine = z.strictObject({
  event: z.literal('commit'),
  checkpoint: z.string(),
  step: z.int().min(0),
  metrics: z.record(z.string(), z.number().nullable()).default({}),
});

/** A wait, which suspends the deadline of progress. */
export const WaitingLine = z.strictObject({
  event: z.literal('waiting'),
  for: z.enum(['judge', 'gateway', 'policy', 'gpu']),
  seconds: z.number().min(0),
});

/** The checkpoint that the child goes on from. */
export const ResumedLine = z.strictObject({
  event: z.literal('resumed'),
  checkpoint: z.string(),
  step: z.int().min(0),
});

/** A training that runs but is going wrong; see alarm.ts. */
export const AlarmLine = z.strictObject({
  event: z.literal('alarm'),
  alarm: AlarmName,
  step: z.int().min(0),
  message: z.string(),
});

/** One JSON line on a child's standard output. Everything else it prints is log. */
export const ProgressLine = z.discriminatedUnion('event', [PhaseLine, CommitLine, WaitingLine, ResumedLine, AlarmLine]);

/** `epochs/<n>/outcome.json`, by rank 0: launchers blur exit codes. */
export const Outcome = z.strictObject({
  status: z.enum(['done', 'preempted', 'bad_request', 'judge_away', 'policy_away', 'failed']),
  message: z.string(),
  field: z.string().nullable().default(null).describe('bad_request: the spec field to fix.'),
  cause: InterruptionCause.nullable().default(null).describe('preempted, failed: what ended the attempt.'),
});

/** `<stage>/result.json`: written last; a stage that has one is done. `epochs/<n>/result.sha256` is its digest. */
export const StageResult = z.strictObject({
  stage: z.enum(['grpo', 'sft', 'audit']),
  epoch: z.int().min(1),
  step: z.int().min(0),
  checkpoint: z.string().nullable(),
  metrics: z.record(z.string(), z.number().nullable()),
  artifacts: z.record(z.string(), z.string()).describe('Name to path under the run directory.'),
  digests: z
    .record(z.string(), Sha256)
    .describe('Name to sha256: of a file its content, of a folder the sorted lines `path sha256` of its files.'),
  finished_at: z.string(),
});

/** `endpoints/<role>.json`: where a served model is now; replaced atomically. */
export const Endpoint = z.strictObject({
  role: z.string(),
  base_url: baseUrl().describe('Up to and including /v1.'),
  model: z.string().describe('The name that the server knows the model by.'),
  model_digest: z.string().nullable(),
  pid: z.int().nullable(),
  host: z.string(),
  api_key_env: z
    .string()
    .nullable()
    .describe('Name of the variable that holds the key, for people to read; no gateway sends a key because of it.'),
  api_key_file: z
    .string()
    .nullable()
    .default(null)
    .describe('File on that machine, private to its user, with the key of a server that gavel started.'),
  started_at: z.string(),
});

/** One line of report/metrics.jsonl. Of two lines with the same stage and step, the one of the newer epoch counts. */
export const MetricLine = z.strictObject({
  stage: StageName,
  epoch: z.int().min(1),
  step: z.int().min(0),
  at: z.string(),
  metrics: z.record(z.string(), z.number().nullable()),
});

export type LedgerSegment = z.output<typeof LedgerSegment>;
export type LocatedModel = z.output<typeof LocatedModel>;
export type StageRequest = z.output<typeof StageRequest>;
export type EpochRecord = z.output<typeof EpochRecord>;
export type Head = z.output<typeof Head>;
export type Manifest = z.output<typeof Manifest>;
export type RolloutRecord = z.output<typeof RolloutRecord>;
export type ProgressLine = z.output<typeof ProgressLine>;
export type Outcome = z.output<typeof Outcome>;
export type StageResult = z.output<typeof StageResult>;
export type Endpoint = z.output<typeof Endpoint>;
export type MetricLine = z.output<typeof MetricLine>;
