import type { Alarm } from '../../contracts/alarm.ts';
import type { InterruptionTotals } from '../../contracts/interruption.ts';
import type { LiveProcess } from '../../contracts/status.ts';

/** What a person sees of a run: one value, gathered from disk, from the workflow and from heartbeats. */

export const STAGES = ['grpo', 'sft', 'audit'] as const;
export type Stage = (typeof STAGES)[number];

export type StageState = 'pending' | 'running' | 'waiting' | 'paused' | 'done' | 'failed';

export interface StageView {
  state: StageState;
  /** What is being done within the stage: load, train, sample, grade. */
  phase: string | null;
  /** Training steps; other phases count in `part`, so that a step never goes back. */
  step: number;
  total: number;
  part: { step: number; total: number } | null;
  metrics: Record<string, number | null>;
  checkpoint: string | null;
  epoch: number | null;
  waiting: { for: string; seconds: number } | null;
}

export type RunState = 'running' | 'done' | 'failed' | 'cancelled' | 'terminated' | 'unknown';

export interface RunView {
  run: string;
  state: RunState;
  stage: 'prepare' | Stage | 'report' | 'done' | 'failed';
  stages: Record<Stage, StageView>;
  processes: LiveProcess[];
  interruptions: InterruptionTotals;
  /** The latest of each name. */
  alarms: Alarm[];
  verdict: 'PASS' | 'FAIL' | 'INCONCLUSIVE' | null;
  report: string | null;
  /** Why the run failed, one line. */
  failure: string | null;
  /** What the view cannot show now, and why. */
  notes: string[];
}

export function emptyView(run: string): RunView {
  const stage = (): StageView => ({
    state: 'pending',
    phase: null,
    step: 0,
    total: 0,
    part: null,
    metrics: {},
    checkpoint: null,
    epoch: null,
    waiting: null,
  });
  return {
    run,
    state: 'unknown',
    stage: 'prepare',
    stages: { grpo: stage(), sft: stage(), audit: stage() },
    processes: [],
    interruptions: { count: 0, steps_lost: 0, by_cause: {}, latest: [] },
    alarms: [],
    verdict: null,
    report: null,
    failure: null,
    notes: [],
  };
}

/** Whether nothing more will happen by itself. */
export const isOver = ({ state }: RunView): boolean => state !== 'running' && state !== 'unknown';
