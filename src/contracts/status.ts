import { z } from 'zod';
import { Alarm } from './alarm.ts';
import { InterruptionTotals } from './interruption.ts';

/** What a running stage tells the world: heartbeats of its activities, and the answer of the query `status`. */

const Metrics = z.record(z.string(), z.number().nullable());

export const LiveProcess = z.strictObject({
  role: z.enum(['worker', 'gateway', 'vllm', 'trainer']),
  pid: z.int(),
  host: z.string(),
  epoch: z.int().nullable(),
});

/** Heartbeat details of every long activity: the live view, at most a second old. */
export const Heartbeat = z.strictObject({
  stage: z.string(),
  epoch: z.int().nullable(),
  phase: z.string(),
  step: z.int(),
  total: z.int(),
  metrics: Metrics,
  waiting: z.strictObject({ for: z.string(), seconds: z.number() }).nullable(),
  checkpoint: z.string().nullable(),
  processes: z.array(LiveProcess),
});

export const StageStatus = z.strictObject({
  state: z.enum(['pending', 'running', 'waiting', 'paused', 'done', 'failed']),
  step: z.int(),
  total: z.int(),
  metrics: Metrics,
  checkpoint: z.string().nullable(),
});

/** Answer of the query `status` of gavelPipeline, and, for its own stage, of each stage workflow. */
export const RunStatus = z.strictObject({
  run: z.string(),
  stage: z.enum(['prepare', 'grpo', 'sft', 'audit', 'report', 'done', 'failed']),
  stages: z.record(z.string(), StageStatus),
  interruptions: InterruptionTotals,
  alarms: z.array(Alarm).default([]).describe('The latest of each name.'),
  verdict: z.enum(['PASS', 'FAIL', 'INCONCLUSIVE']).nullable(),
  report: z.string().nullable().describe('Path of the report under GAVEL_ROOT.'),
});

/** Argument of the signal `progress`, sent by activities at the start of an attempt and at commits. */
export const ProgressSignal = z.strictObject({
  stage: z.string(),
  epoch: z.int().describe('Number of the attempt that sends it.'),
  step: z.int(),
  total: z.int(),
  checkpoint: z.string().nullable(),
  metrics: Metrics,
});

/** Argument of the signal `preemptionNotice`: the node will be taken away soon. */
export const PreemptionNotice = z.strictObject({
  node: z.string().nullable().default(null).describe('Name of the node; null means the one that the stage runs on.'),
  seconds: z.number().gt(0).default(120).describe('How long no work goes to that node.'),
});

/** Argument of the signal `stageState`, from a stage to the pipeline above it. */
export const StageState = z.strictObject({ stage: z.string(), state: z.enum(['running', 'paused']) });

/** `<stage>/stops/<reservation>.json`: asks the attempt on that reservation to commit at the next step boundary and end. */
export const StopRequest = z.strictObject({ reason: z.string(), at: z.string() });

export type PreemptionNotice = z.output<typeof PreemptionNotice>;
export type StageState = z.output<typeof StageState>;
export type StopRequest = z.output<typeof StopRequest>;
export type LiveProcess = z.output<typeof LiveProcess>;
export type Heartbeat = z.output<typeof Heartbeat>;
export type StageStatus = z.output<typeof StageStatus>;
export type RunStatus = z.output<typeof RunStatus>;
export type ProgressSignal = z.output<typeof ProgressSignal>;
