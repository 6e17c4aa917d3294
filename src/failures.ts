import { ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { redact } from './redact.ts';

/**
 * Every failure that crosses from an activity into a workflow, and whether it may be retried: here and nowhere else.
 * Messages are one redacted line; they stay in Temporal history for good.
 */

export interface Problem {
  field: string;
  message: string;
}

export type FailureType =
  | 'InvalidSpec'
  | 'DoesNotFit'
  | 'RunExists'
  | 'UnwritableRunDirectory'
  | 'ModelDidNotStart'
  | 'ModelServerDied'
  | 'TrainerDied'
  | 'TrainerPreempted'
  | 'TrainerHung'
  | 'OutOfMemory'
  | 'StopRequested'
  | 'NodeLeaving'
  | 'NodeStuck'
  | 'AttemptGivenUp'
  | 'ServerAway'
  | 'ResultDamaged'
  | 'JudgeAway'
  | 'JudgeMisconfigured'
  | 'PolicyAway'
  | 'DiskFull'
  | 'NoProgress'
  | 'NoOtherNode'
  | 'NotEnoughGpus'
  | 'GpusUnknown'
  | 'GpusTaken';

const retryable: Record<FailureType, boolean> = {
  InvalidSpec: false,
  // Memory does not grow: a person changes the field that the message names, or takes another machine.
  DoesNotFit: false,
  RunExists: false,
  UnwritableRunDirectory: false,
  // A server that never answered will not answer at the next attempt either, unless a person changes something.
  ModelDidNotStart: false,
  ModelServerDied: true,
  TrainerDied: true,
  TrainerPreempted: true,
  TrainerHung: true,
  // What else uses the memory may end before the next attempt; the error budget bounds the others.
  OutOfMemory: true,
  // The workflow decides what comes next: it asked for the stop, or has to find another node.
  StopRequested: false,
  NodeLeaving: false,
  NodeStuck: false,
  // The server no longer wants its result: another attempt runs, or the workflow has ended.
  AttemptGivenUp: true,
  ServerAway: true,
  // The pipeline runs the result's stage again.
  ResultDamaged: false,
  // The gateway has already waited as long as the spec allows; the run is resumable by hand.
  JudgeAway: false,
  JudgeMisconfigured: false,
  // The trainer has waited for the policy's servers as long as the spec allows; the run is resumable by hand.
  PolicyAway: false,
  // A person or another program may free space; the last good checkpoint is untouched.
  DiskFull: true,
  NoProgress: false,
  // As NotEnoughGpus: reserve-node itself gives up once it has asked around.
  NoOtherNode: true,
  // Another node may have more; reserve-node itself gives up once it has asked around.
  NotEnoughGpus: true,
  // A driver that hangs or is being replaced answers later, and another node may answer now.
  GpusUnknown: true,
  GpusTaken: true,
};

// These attempts were ended from outside, not by an error of their own, so they never use up an error budget.
const fromOutside: ReadonlySet<string | null> = new Set<FailureType>([
  'TrainerPreempted',
  'StopRequested',
  'NodeLeaving',
  'NodeStuck',
  'AttemptGivenUp',
  'ServerAway',
]);

/** Space does not come back within seconds, and each attempt leaves an epoch behind. */
export const DISK_FULL_PAUSE_MS = 5000;

/** A person or another program may free a disk within minutes, so this many attempts, 5 s apart and more, count as one error. */
export const FULL_DISKS_PER_ERROR = 20;

/** A typed failure; `retry` overrides what its type says; `details` are scalars and paths only, never rollouts, log tails or secrets. */
export function failure(
  type: FailureType,
  message: string,
  details: Record<string, unknown> = {},
  { retry = retryable[type] }: { retry?: boolean } = {},
): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message: redact(message),
    nonRetryable: !retry,
    details: [details],
    ...(type === 'DiskFull' && { nextRetryDelay: DISK_FULL_PAUSE_MS }),
  });
}

/** One failure for all problems of a spec: message and details hold every one, in the order given. */
export function invalidSpec(problems: Problem[]): ApplicationFailure {
  const said = problems.map(({ field, message }) => `${field || 'spec'}: ${message}`);
  const count = said.length > 1 ? `${said.length} problems: ` : '';
  return failure('InvalidSpec', `${count}${said.join('; ')}`, { problems });
}

/**
 * What an error comes down to: wrappers ("Activity task failed", "fetch failed") say only that something inside them failed.
 * It stops at a typed failure and at a timeout, whatever their causes are.
 */
export function innermost(error: unknown): unknown {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) {
    if (inner instanceof ApplicationFailure || inner instanceof TimeoutFailure) break;
    inner = inner.cause;
  }
  return inner;
}

/** Type of the failure inside an error; null where it has none. */
export function failureType(error: unknown): string | null {
  const inner = innermost(error);
  return inner instanceof ApplicationFailure ? (inner.type ?? null) : null;
}

/** The details that `failure` was given, of the failure inside an error. */
export function failureDetails(error: unknown): Record<string, unknown> {
  const inner = innermost(error);
  const [details] = inner instanceof ApplicationFailure ? (inner.details ?? []) : [];
  return (details ?? {}) as Record<string, unknown>;
}

/** Which of Temporal's timeouts an error comes down to; null where it is none. */
export function timeoutOf(error: unknown): string | null {
  const inner = innermost(error);
  return inner instanceof TimeoutFailure ? (inner.timeoutType ?? null) : null;
}

/** Whether what ended an attempt uses up its stage's error budget: everything but a preemption. */
export const isError = (error: unknown): boolean => timeoutOf(error) === null && !fromOutside.has(failureType(error));

/** Whether an error inside a wrapper may be tried again. */
export function mayRetry(error: unknown): boolean {
  const inner = innermost(error);
  return inner instanceof ApplicationFailure && !inner.nonRetryable;
}

/** The same failure with more details; an error without a type gets that of its class. */
export function withDetails(error: unknown, details: Record<string, unknown>): ApplicationFailure {
  const { type, nonRetryable, nextRetryDelay } = error instanceof ApplicationFailure ? error : {};
  return ApplicationFailure.create({
    type: type ?? (error instanceof Error ? error.name : 'Error'),
    message: redact(messageOf(error)),
    nonRetryable: nonRetryable ?? false,
    details: [{ ...failureDetails(error), ...details }],
    ...(nextRetryDelay && { nextRetryDelay }),
  });
}

/** Whether an error says that a disk, or a quota, is full. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  return ['ENOSPC', 'EDQUOT'].includes(code) || failureType(error) === 'DiskFull';
}

/** Whether a message, of Python or of Node, says that a disk is full. */
export const saysDiskFull = (message: string): boolean => /disk full|No space left|ENOSPC/i.test(message);

/** First line of any thrown thing, without a stack. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? '';
}
