import type { Config } from '../config.ts';
import type { Alarm } from '../contracts/alarm.ts';
import type { GatewayConfig } from '../contracts/gateway.ts';
import type { InterruptionTotals } from '../contracts/interruption.ts';
import type { WorkflowOwner } from '../contracts/reservation.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import type { Heartbeat, ProgressSignal } from '../contracts/status.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import type { GatewayChild } from './gateway-child.ts';
import type { InterruptionLog } from './interruption-log.ts';
import type { LiveView } from './live-view.ts';
import type { TakenEpoch } from './take-epoch.ts';

/** What one attempt at a stage is given, and what it holds once it has an epoch. */

export type TrainedStage = 'grpo' | 'sft' | 'audit';

export interface StageRun {
  config: Config;
  spec: Spec;
  stage: TrainedStage;
  /** The execution that the attempt is for; null: none of a Temporal server. */
  owner: WorkflowOwner | null;
  gpus: string[];
  /** Id of the reservation that the attempt is on: a stop that names another one is not meant. */
  reservation: string;
  /** Aborted when the stage is cancelled, its worker shuts down, or the server has given this attempt up. */
  signal: AbortSignal;
  /** How long a trainer may take to commit and end once the signal is aborted. */
  grace_ms: () => number;
  /** What the attempt throws once the signal is aborted. */
  ended: () => Error;
  beat: (beat: Heartbeat) => void;
  onCommit: (progress: ProgressSignal) => void;
  onInterruption: (totals: InterruptionTotals) => void;
  onAlarm: (alarm: Alarm) => void;
  /** The gateway that the stage grades through, or has messages rendered by. */
  gateway: (paths: RunPaths, epoch: number) => GatewayConfig;
  /** Environment variables that hold the judge's key. */
  secrets: Record<string, string>;
}

export interface Attempt {
  run: StageRun;
  paths: RunPaths;
  taken: TakenEpoch;
  live: LiveView;
  interruptions: InterruptionLog;
  gateway: GatewayChild | null;
}
