import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Config } from '../src/config.ts';
import type { Heartbeat, Preemption, ProgressSignal } from '../src/contracts/status.ts';

/** What activities are given by the worker that runs them. */
export interface Dependencies {
  config: Config;
  client: Client;
  namespace: string;
}

/** Sends a signal to the stage's workflow and to the pipeline above it; one that is not there is nobody to tell. */
function tell({ client }: Dependencies, run: string, signal: string, argument: unknown): void {
  const own = Context.current().info.workflowExecution?.workflowId ?? '';
  for (const id of new Set([own, `gavel/${run}`])) {
    client.workflow
      .getHandle(id)
      .signal(signal, argument)
      .catch(() => undefined);
  }
}

/** The channels of one attempt at a stage: heartbeats, and signals at commits and preemptions. */
export function channels(dependencies: Dependencies, run: string) {
  const context = Context.current();
  return {
    signal: context.cancellationSignal,
    // A worker that is told to end has some 28 s, enough to finish a step and commit it; a cancelled run ends at once.
    grace_ms: () => (context.cancellationDetails?.workerShutdown ? 20_000 : 2000),
    beat: (beat: Heartbeat) => context.heartbeat(beat),
    onCommit: (progress: ProgressSignal) => tell(dependencies, run, 'progress', progress),
    onPreemption: (preemption: Preemption) => tell(dependencies, run, 'preempted', preemption),
  };
}
