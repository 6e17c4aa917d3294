import { setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import type { Preemption, ProgressSignal, RunStatus, StageState, StageStatus } from '../src/contracts/status.ts';
import { lossesQuery, preemptedSignal, progressSignal, statusQuery } from './messages.ts';
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
      attempts: 0,
    });
    this.status = {
      run,
      stage: 'prepare',
      stages: Object.fromEntries(stages.map((stage) => [stage, pending()])),
      preemptions: [],
      verdict: null,
      report: null,
    };
    setHandler(statusQuery, () => this.status, {
      description: 'Stage, step, last figures and preemptions of the run.',
    });
    setHandler(lossesQuery, () => this.status.preemptions, { description: 'Every preemption and what it cost.' });
    setHandler(progressSignal, (progress) => this.progress(progress), {
      description: 'Sent by activities at commits.',
    });
    setHandler(preemptedSignal, (preemption) => this.preempted(preemption), {
      description: 'Sent by the attempt that goes on after a preemption.',
    });
    this.show();
  }

  /** Names of the search attributes that the server knows; one that it lacks would retry the workflow task for ever. */
  useSearchAttributes(names: string[]): void {
    this.registered = new Set(names);
    this.show();
  }

  /** Takes over what the run was through before this workflow. */
  remember(preemptions: readonly Preemption[] = []): void {
    this.status.preemptions.unshift(...preemptions);
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

  private progress({ stage, epoch, step, total, checkpoint, metrics }: ProgressSignal): void {
    const entry = this.status.stages[stage];
    if (!entry || entry.state === 'done') return;
    const started = epoch > entry.attempts;
    Object.assign(entry, { step, checkpoint, metrics: { ...entry.metrics, ...metrics } });
    entry.total = total || entry.total;
    entry.attempts = Math.max(entry.attempts, epoch);
    if (!started) this.committed(stage);
    this.show();
  }

  /** The first commit after a preemption says what it cost. */
  private committed(stage: string): void {
    for (const preemption of this.status.preemptions) {
      if (preemption.stage !== stage || preemption.seconds_to_next_commit !== null) continue;
      const seconds = (Date.now() - Date.parse(preemption.at)) / 1000;
      preemption.seconds_to_next_commit = Math.max(0, Math.round(seconds * 10) / 10);
    }
  }

  private preempted(preemption: Preemption): void {
    // The same preemption is told twice: when the next attempt starts, and when it first commits.
    const same = this.status.preemptions.findIndex((p) => p.at === preemption.at && p.what === preemption.what);
    const known = this.status.preemptions[same];
    if (known) known.seconds_to_next_commit = preemption.seconds_to_next_commit ?? known.seconds_to_next_commit;
    else this.status.preemptions.push(preemption);
    this.show();
  }

  private show(): void {
    setCurrentDetails(statusTable(this.status, this.about));
    const { stage, stages, preemptions } = this.status;
    const current = stages[stage];
    const attributes = [
      { key: { name: 'GavelStage', type: 'KEYWORD' as const }, value: stage },
      { key: { name: 'GavelPreemptions', type: 'INT' as const }, value: preemptions.length },
      ...(this.node ? [{ key: { name: 'GavelNode', type: 'KEYWORD' as const }, value: this.node }] : []),
      ...(current ? [{ key: { name: 'GavelStep', type: 'INT' as const }, value: current.step }] : []),
      ...double('GavelReward', stages.grpo?.metrics.reward),
      ...double('GavelAgreement', stages.audit?.metrics.quadratic_weighted_kappa),
    ].filter(({ key }) => this.registered.has(key.name));
    if (attributes.length > 0) upsertSearchAttributes(attributes);
  }
}

const double = (name: string, value: number | null | undefined) =>
  typeof value === 'number' ? [{ key: { name, type: 'DOUBLE' as const }, value }] : [];
