import { setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import type { Alarm } from '../src/contracts/alarm.ts';
import type { InterruptionTotals } from '../src/contracts/interruption.ts';
import type { ProgressSignal, RunStatus, StageState, StageStatus } from '../src/contracts/status.ts';
import { alarmSignal, interruptionsSignal, lossesQuery, progressSignal, statusQuery } from './messages.ts';
import { statusTable } from './status-table.ts';

/** What a workflow knows about its run, shown to people: query answers, current details, search attributes. */
export class StatusBoard {
  readonly status: RunStatus;
  private registered = new Set<string>();
  private node: string | null = null;
  private about: string | null = null;

  constructor(run: string, stages: string[]) {
    const pending = (): StageStatus => ({
      state: 'pending',
      step: 0,
      total: 0,
      metrics: {},
      checkpoint: null,
    });
    this.status = {
      run,
      stage: 'prepare',
      stages: Object.fromEntries(stages.map((stage) => [stage, pending()])),
      interruptions: { count: 0, steps_lost: 0, by_cause: {}, latest: [] },
      alarms: [],
      verdict: null,
      report: null,
    };
    setHandler(statusQuery, () => this.status, {
      description: 'Stage, step, last figures and interruptions of the run.',
    });
    setHandler(lossesQuery, () => this.status.interruptions, {
      description: 'Interruptions so far, their causes, what they cost, and the latest.',
    });
    setHandler(progressSignal, (progress) => this.progress(progress), {
      description: 'Sent by activities at commits.',
    });
    setHandler(interruptionsSignal, (totals) => this.interrupted(totals), {
      description: 'Sent by the activity that has written an interruption into the run directory.',
    });
    setHandler(alarmSignal, (alarm) => this.alarmed(alarm), {
      description: 'Sent by the activity whose trainer says that the training is going wrong.',
    });
    this.show();
  }

  /** Names of the search attributes that the server knows; setting another one would retry the workflow task for ever. */
  useSearchAttributes(names: string[]): void {
    this.registered = new Set(names);
    this.show();
  }

  /** Shows what the run directory's list of interruptions adds up to; it is never added up here. */
  interrupted(totals: InterruptionTotals): void {
    // The list only grows, so a smaller count is an older one that arrived late.
    if (totals.count < this.status.interruptions.count) return;
    this.status.interruptions = totals;
    this.show();
  }

  /** Says in one line what the run is about. */
  describe(about: string): void {
    this.about = about;
    this.show();
  }

  /** Names the node that the stage runs on. */
  onNode(node: string): void {
    this.node = node;
    this.show();
  }

  begin(stage: RunStatus['stage']): void {
    this.status.stage = stage;
    const entry = this.status.stages[stage];
    // A stage that was done and whose result was damaged begins again.
    if (entry) entry.state = 'running';
    this.show();
  }

  end(stage: string, metrics: Record<string, number | null> = {}): void {
    const entry = this.status.stages[stage];
    if (entry) {
      entry.state = 'done';
      entry.step = Math.max(entry.step, entry.total);
      entry.metrics = { ...entry.metrics, ...metrics };
    }
    this.show();
  }

  finish(result: Partial<Pick<RunStatus, 'verdict' | 'report'>>): void {
    Object.assign(this.status, result);
    this.status.stage = 'done';
    this.show();
  }

  fail(): void {
    const entry = this.status.stages[this.status.stage];
    if (entry) entry.state = 'failed';
    this.status.stage = 'failed';
    this.show();
  }

  isPaused(stage: string): boolean {
    return this.status.stages[stage]?.state === 'paused';
  }

  setState({ stage, state }: StageState): void {
    const entry = this.status.stages[stage];
    if (entry && entry.state !== 'done') entry.state = state;
    this.show();
  }

  private progress({ stage, step, total, checkpoint, metrics }: ProgressSignal): void {
    const entry = this.status.stages[stage];
    if (!entry || entry.state === 'done') return;
    Object.assign(entry, { step, checkpoint, metrics: { ...entry.metrics, ...metrics } });
    entry.total = total || entry.total;
    this.show();
  }

  private alarmed(alarm: Alarm): void {
    const others = this.status.alarms.filter((one) => one.alarm !== alarm.alarm || one.stage !== alarm.stage);
    this.status.alarms = [...others, alarm];
    this.show();
  }

  private show(): void {
    setCurrentDetails(statusTable(this.status, this.about));
    const { stage, stages, interruptions } = this.status;
    const current = stages[stage];
    const attributes = [
      { key: { name: 'GavelStage', type: 'KEYWORD' as const }, value: stage },
      { key: { name: 'GavelInterruptions', type: 'INT' as const }, value: interruptions.count },
      ...(this.node ? [{ key: { name: 'GavelNode', type: 'KEYWORD' as const }, value: this.node }] : []),
      ...(current ? [{ key: { name: 'GavelStep', type: 'INT' as const }, value: current.step }] : []),
      ...double('GavelReward', stages.grpo?.metrics.reward),
      ...double('GavelAgreement', agreement(stages.audit?.metrics)),
    ].filter(({ key }) => this.registered.has(key.name));
    if (attributes.length > 0) upsertSearchAttributes(attributes);
  }
}

/** Kappa of the headline mode with the judge; pairs have no scores to weigh. */
const agreement = (metrics: Record<string, number | null> | undefined) =>
  metrics?.quadratic_weighted_kappa ?? metrics?.label_cohens_kappa;

const double = (name: string, value: number | null | undefined) =>
  typeof value === 'number' ? [{ key: { name, type: 'DOUBLE' as const }, value }] : [];
