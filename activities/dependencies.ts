import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Config } from '../src/config.ts';
import type { Alarm } from '../src/contracts/alarm.ts';
import type { InterruptionTotals } from '../src/contracts/interruption.ts';
import type { Heartbeat, ProgressSignal } from '../src/contracts/status.ts';
import { failure } from '../src/failures.ts';

/** What activities are given by the worker that runs them. */
export interface Dependencies {
  config: Config;
  /** Identity of GAVEL_ROOT. */
  root_id: string;
  client: Client;
  namespace: string;
}

/** Sends a signal to the stage's workflow and to the pipeline above it; a workflow that does not exist is left out. */
function tell({ client }: Dependencies, run: string, signal: string, argument: unknown): void {
  const own = Context.current().info.workflowExecution?.workflowId ?? '';
  // The workflow of a model server is below its stage: gavel/<run>/<stage>/<role>.
  const stage = own.split('/').slice(0, 3).join('/');
  for (const id of new Set([stage, `gavel/${run}`])) {
    client.workflow
      .getHandle(id)
      .signal(signal, argument)
      .catch(() => undefined);
  }
}

// A step and its commit, out of the 30 s that a notice leaves; the rest is for telling the server.
const COMMIT_GRACE_MS = 20_000;
// A person who cancels waits for the end and did not ask to keep uncommitted steps. Of the 5 s until every process has ended
// up to two go by until a heartbeat brings the word, and a quarter of this is the gateway's after the trainer's end.
const CANCEL_GRACE_MS = 1500;

/** The channels of one attempt at a stage: heartbeats, and signals at commits, interruptions and alarms. */
export function channels(dependencies: Dependencies, run: string) {
  const context = Context.current();
  return {
    signal: context.cancellationSignal,
    /** How long a trainer may take to commit and end once `signal` is aborted. */
    grace_ms: () => (context.cancellationDetails?.cancelRequested ? CANCEL_GRACE_MS : COMMIT_GRACE_MS),
    /** What the attempt ends with once `signal` is aborted. */
    ended: (): Error =>
      context.cancellationDetails?.workerShutdown
        ? failure('NodeLeaving', `The worker of node ${dependencies.config.node} was told to end`)
        : (context.cancellationSignal.reason as Error),
    beat: (beat: Heartbeat) => context.heartbeat(beat),
    onCommit: (progress: ProgressSignal) => tell(dependencies, run, 'progress', progress),
    onInterruption: (totals: InterruptionTotals) => tell(dependencies, run, 'interruptions', totals),
    onAlarm: (alarm: Alarm) => tell(dependencies, run, 'alarm', alarm),
  };
}
