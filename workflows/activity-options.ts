import { ActivityCancellationType, proxyActivities, type RetryPolicy } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { LimitsSpec } from '../src/contracts/spec/limits.ts';

/** How each activity is called: every timeout has its reason here. */

// Attempts stay unlimited: preemption must never use up an error budget. What must not be retried says so itself
// (src/failures.ts), and a stage that makes no progress ends itself with NoProgress.
// The interval stays short: the hundredth preemption of a month should cost no more than the first.
const retry: RetryPolicy = { initialInterval: '0.5s', backoffCoefficient: 1.5, maximumInterval: '3s' };

/** Short work on any worker: reading, preparing, reporting. */
export const shared = (summary: string) =>
  proxyActivities<Activities>({
    // Making the data of a large task takes minutes; longer than this it is stuck.
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: '30s',
    summary,
    // Nothing is trained here: what fails ten times in a row fails for a reason that a person must see.
    // Ten attempts are some five minutes, time enough to free a disk.
    retry: { initialInterval: '0.5s', backoffCoefficient: 2.5, maximumInterval: '1m', maximumAttempts: 10 },
  });

/** One short write to the disk: retried at once where the worker that took it has fallen silent. */
export const brief = (summary: string) =>
  proxyActivities<Activities>({
    startToCloseTimeout: '5s',
    summary,
    // A minute; a disk that is broken for longer must not keep a stage from ending.
    retry: { ...retry, maximumAttempts: 20 },
  });

/** Waiting for GPUs may take days; the heartbeat tells a waiting worker from a dead one. */
export const reserve = (limits: LimitsSpec, summary: string) =>
  proxyActivities<Activities>({
    startToCloseTimeout: '30 days',
    // It beats every second, and a shorter silence costs nothing here.
    heartbeatTimeout: Math.min(limits.heartbeat_timeout_s, 5) * 1000,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
    // The interval is short where a node refuses, so that another node's worker can take the next attempt.
    retry: { ...retry, initialInterval: '0.2s' },
  });

export interface OnNode {
  task_queue: string;
  limits: LimitsSpec;
  summary: string;
}

/** Long work on one node: a training, a server. */
const longRunning = ({ task_queue, limits, summary }: OnNode, policy: RetryPolicy) =>
  proxyActivities<Activities>({
    taskQueue: task_queue,
    // No training is meant to run longer than a month; the heartbeat is what finds a dead one.
    startToCloseTimeout: '30 days',
    heartbeatTimeout: limits.heartbeat_timeout_s * 1000,
    // A node that does not take the work up in time is gone: reserve again, maybe elsewhere.
    scheduleToStartTimeout: limits.node_timeout_s * 1000,
    // The default returns while the trainer still runs.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
    retry: policy,
  });

/** One attempt at training: the workflow counts attempts itself (attempts.ts), by what ended them. */
export const training = (on: OnNode) => longRunning(on, { maximumAttempts: 1 });

// No worker may poll the queue of a silent one any more: the stage reserves again instead of waiting there. A program that
// cannot be started on this node may well start on another.
export const serving = (on: OnNode) =>
  longRunning(on, { ...retry, nonRetryableErrorTypes: ['TemporalTimeout:Heartbeat', 'ChildStartError'] });
