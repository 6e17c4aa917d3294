import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { type RunPaths, runPaths } from '../../../src/run-directory/paths.ts';
import { RunDirectory } from '../check/read-run-directory.ts';
import type { EventLog, Logged, Phase, Sometimes, Stage } from '../observe/event-log.ts';
import type { JournalCopies } from '../observe/journal-copies.ts';
import { type Found, processesOf, trainersOf } from '../observe/processes.ts';
import type { Cluster, Role } from './cluster.ts';
import type { JudgeProxy } from './judge-proxy.ts';
import type { Random } from './seeded-random.ts';
import type { Scenario } from './small-spec.ts';

type EpochEvent = Extract<Logged, { event: 'epoch' }>;
type FaultEvent = Extract<Logged, { event: 'fault' }>;

/** What a fault has in its hands: the processes, the run directory, the proxy of the judge, and the log that it writes to. */
export class FaultContext {
  readonly cluster: Cluster;
  readonly log: EventLog;
  readonly judge_proxy: JudgeProxy;
  readonly run: string;
  readonly scenario: Scenario;
  readonly random: Random;
  readonly paths: RunPaths;
  readonly directory: RunDirectory;
  /** Where originals go before a fault damages them: what the witness is fed with. */
  readonly saved: string;
  /** Copies of the journals, as they were written. */
  readonly journals: JournalCopies;
  /** true once the pipeline has ended and has not been resumed. */
  dead = false;
  private current: { id: number; kind: string; phase: Phase } = { id: 0, kind: '', phase: 'grpo' };

  constructor(
    given: Pick<FaultContext, 'cluster' | 'log' | 'judge_proxy' | 'run' | 'scenario' | 'random' | 'saved' | 'journals'>,
  ) {
    this.cluster = given.cluster;
    this.log = given.log;
    this.judge_proxy = given.judge_proxy;
    this.run = given.run;
    this.scenario = given.scenario;
    this.random = given.random;
    this.saved = given.saved;
    this.journals = given.journals;
    this.paths = runPaths(given.cluster.root, given.run);
    this.directory = new RunDirectory(given.cluster.root, given.run);
  }

  /** The newest epoch of the stage that runs now; null before the first. */
  get epoch(): EpochEvent | null {
    return this.log.of('epoch').at(-1) ?? null;
  }

  get stage(): Stage {
    return this.epoch?.stage ?? 'grpo';
  }

  /** The worker that holds the stage. */
  get node(): Role {
    return (this.epoch?.node ?? 'a') as Role;
  }

  /** Highest step of the stage that was finished, and highest that was committed, in any epoch. */
  heights(stage: Stage): { step: number; committed: number } {
    const highest = (event: 'step' | 'commit') =>
      Math.max(
        0,
        ...this.log
          .of(event)
          .filter((e) => e.stage === stage)
          .map((e) => e.step),
      );
    const committed = highest('commit');
    return { step: Math.max(committed, highest('step')), committed };
  }

  /** Keeps `dead` up to date until stopped. */
  watchWorkflow(): () => void {
    let closed = 0;
    const timer = setInterval(async () => {
      const status = await this.handle()
        .then((handle) => handle.describe())
        .catch(() => null);
      closed = status && status.status.name !== 'RUNNING' ? closed + 1 : 0;
      // Cancelled and resumed, it is closed for a moment.
      this.dead = closed >= 4;
    }, 1000);
    return () => clearInterval(timer);
  }

  begin(id: number, kind: string, phase: Phase): void {
    this.current = { id, kind, phase };
  }

  /** Logs the fault at the moment at which it strikes. */
  strikes(detail: string): FaultEvent {
    const { id, kind, phase } = this.current;
    const within = phase !== 'prepare' && phase !== 'report';
    const stage = within ? this.stage : phase;
    const { step, committed } = within ? this.heights(this.stage) : { step: 0, committed: 0 };
    const epoch = within ? (this.epoch?.epoch ?? 0) : 0;
    return this.log.add({ event: 'fault', id, kind, stage, epoch, step, committed, detail }) as FaultEvent;
  }

  reached(what: Sometimes, detail: string): void {
    this.log.add({ event: 'reached', what, detail });
  }

  violated(assertion: string, detail: string): void {
    this.log.add({ event: 'violation', assertion, detail });
  }

  /** Processes of the run: trainer, gateway, vLLM. */
  children(): Found[] {
    return processesOf(this.cluster.root).filter(({ tag }) => tag?.includes(`:${this.paths.dir}/`));
  }

  /** The trainer of the newest epoch; null while there is none. */
  trainer(): number | null {
    const { epoch, stage } = this;
    const found = trainersOf(this.children()).find((one) => one.stage === stage && one.epoch === epoch?.epoch);
    return found?.pid ?? null;
  }

  async untilTrainer(): Promise<number> {
    return (await this.until('a trainer', 120, () => this.trainer())) as number;
  }

  async until<T>(what: string, seconds: number, look: () => T | null | false | undefined): Promise<T> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const found = look();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
      await sleep(20);
    }
  }

  /** Seconds until `look` says so; null where it does not within `seconds`. */
  async secondsUntil(seconds: number, look: () => boolean): Promise<number | null> {
    const began = performance.now();
    while (!look()) {
      if (performance.now() - began > seconds * 1000) return null;
      await sleep(20);
    }
    return (performance.now() - began) / 1000;
  }

  async handle(): Promise<WorkflowHandle> {
    const client: Client = await this.cluster.client();
    return client.workflow.getHandle(`gavel/${this.run}`);
  }
}
