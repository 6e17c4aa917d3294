import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Alarm } from '../src/contracts/alarm.ts';
import type { InterruptionTotals } from '../src/contracts/interruption.ts';
import type { PreemptionNotice, ProgressSignal, RunStatus, StageState } from '../src/contracts/status.ts';

/** What a workflow can be asked and told while it runs. */

export const statusQuery = defineQuery<RunStatus>('status');
export const lossesQuery = defineQuery<InterruptionTotals>('losses');
export const progressSignal = defineSignal<[ProgressSignal]>('progress');
export const interruptionsSignal = defineSignal<[InterruptionTotals]>('interruptions');
export const alarmSignal = defineSignal<[Alarm]>('alarm');
export const preemptionNoticeSignal = defineSignal<[Partial<PreemptionNotice>?]>('preemptionNotice');
export const stageStateSignal = defineSignal<[StageState]>('stageState');
/** From the pipeline to its stage; a person uses the updates. */
export const setPausedSignal = defineSignal<[boolean]>('setPaused');
export const pauseUpdate = defineUpdate<RunStatus>('pause');
export const resumeUpdate = defineUpdate<RunStatus>('resume');
