import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { Preemption, ProgressSignal, RunStatus } from '../src/contracts/status.ts';

/** What a workflow can be asked and told while it runs. */

export const statusQuery = defineQuery<RunStatus>('status', {
  description: 'Stage, step, last figures and preemptions of the run.',
});
export const lossesQuery = defineQuery<Preemption[]>('losses', {
  description: 'Every preemption, what it cost and when work went on.',
});
export const progressSignal = defineSignal<[ProgressSignal]>('progress', {
  description: 'Sent by activities at each commit.',
});
export const preemptedSignal = defineSignal<[Preemption]>('preempted', {
  description: 'Sent by the attempt that goes on after a preemption.',
});
