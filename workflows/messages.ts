import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { Preemption, ProgressSignal, RunStatus } from '../src/contracts/status.ts';

/** What a workflow can be asked and told while it runs. */

export const statusQuery = defineQuery<RunStatus>('status');
export const lossesQuery = defineQuery<Preemption[]>('losses');
export const progressSignal = defineSignal<[ProgressSignal]>('progress');
export const preemptedSignal = defineSignal<[Preemption]>('preempted');
