import {
  CancellationScope,
  type ChildWorkflowHandle,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  type SignalDefinition,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { PreemptionNotice } from '../src/contracts/status.ts';
import { brief } from './activity-options.ts';
import { pauseUpdate, preemptionNoticeSignal, resumeUpdate, setPausedSignal, stageStateSignal } from './messages.ts';
import type { StatusBoard } from './status.ts';

/** Nodes that will be preempted, and until when (ms since 1970) no work should go there. */
export type Leaving = [node: string, until: number][];

/** What people and nodes ask of a running stage: to pause, to go on, to leave a node that will be preempted. */
export class StageControl {
  private readonly board: StatusBoard;
  private readonly run: string;
  private readonly stage: string;
  private paused = false;
  private at: { node: string; reservation: string } | null = null;
  /** Nodes that will be preempted, and until when (ms) no work should go there. */
  private readonly leaving: Map<string, number>;
  /** Until when (ms) a notice without a node is about the node of the last notice. */
  private nodeless_until = 0;
  private reserving: CancellationScope | null = null;

  constructor(board: StatusBoard, run: string, stage: string, leaving: Leaving = []) {
    this.leaving = new Map(leaving);
    this.board = board;
    this.run = run;
    this.stage = stage;
    setHandler(setPausedSignal, (paused) => this.setPaused(paused), { description: 'Sent by the pipeline.' });
    setHandler(pauseUpdate, () => this.pause(), {
      description: 'Commits at the next step boundary, ends the stage and releases its GPUs until `resume`.',
    });
    setHandler(resumeUpdate, () => this.resume(), { description: 'Continues after `pause`.' });
    setHandler(preemptionNoticeSignal, (notice) => this.notice(notice), {
      description: 'A node will be preempted: commit at the next step boundary and resume on another node.',
    });
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** Names of the nodes where no work should go now. */
  get avoided(): string[] {
    const now = Date.now();
    return [...this.leaving].filter(([, until]) => until > now).map(([node]) => node);
  }

  /** Keeps work off a node for a while. */
  avoid(node: string, seconds: number): void {
    this.leaving.set(node, Date.now() + seconds * 1000);
  }

  /** Reserves; null where a pause or a notice came in between, and all that may have been leased has to be released. */
  async whileReserving<T>(reserve: () => Promise<T>): Promise<T | null> {
    const stage = CancellationScope.current();
    const scope = new CancellationScope();
    this.reserving = scope;
    try {
      return await scope.run(reserve);
    } catch (error) {
      if (isCancellation(error) && scope.consideredCancelled && !stage.consideredCancelled) return null;
      throw error;
    } finally {
      this.reserving = null;
    }
  }

  /**
   * Says on which node, and on which reservation, the stage's work is now; null while there is none. `avoided` are the
   * nodes that the reservation was to avoid: one of them was given because no other came, and its work is left to run.
   */
  async onNode(at: { node: string; reservation: string; avoided: string[] } | null): Promise<void> {
    this.at = at;
    if (at === null) return;
    this.board.onNode(at.node);
    // Asked for between two attempts: there was nothing to stop then.
    const told = this.avoided.includes(at.node) && !at.avoided.includes(at.node);
    if (told) await this.stop(at.reservation, `node ${at.node} will be taken away`);
  }

  /** Resolves at once, or, while the stage is paused, when it may go on. */
  async untilNotPaused(): Promise<void> {
    if (!this.paused) return;
    await this.tell('paused');
    await condition(() => !this.paused);
    await this.tell('running');
  }

  private async pause() {
    await this.setPaused(true);
    await condition(() => this.board.isPaused(this.stage) || !this.paused, '2 minutes');
    return this.board.status;
  }

  private async resume() {
    await this.setPaused(false);
    return this.board.status;
  }

  private async setPaused(paused: boolean): Promise<void> {
    this.paused = paused;
    if (!paused) return;
    // A repeated pause repeats the stop request, because the first may not have been written.
    this.reserving?.cancel();
    if (this.at !== null) await this.stop(this.at.reservation, 'paused on request');
  }

  private async notice(given: Partial<PreemptionNotice> = {}): Promise<void> {
    const { success, data } = PreemptionNotice.safeParse(given);
    // A signal cannot be refused, so an unusable one is ignored: it must not fail the run.
    if (!success) return;
    const now = Date.now();
    // A notice that repeats for the same node must not evict the stage from the next one.
    if (data.node === null && now < this.nodeless_until) return;
    const node = data.node ?? this.at?.node ?? null;
    if (node === null) return;
    const until = now + data.seconds * 1000;
    if (data.node === null) this.nodeless_until = until;
    this.leaving.set(node, until);
    this.reserving?.cancel();
    if (this.at?.node === node) await this.stop(this.at.reservation, `node ${node} will be taken away`);
  }

  private async stop(reservation: string, reason: string): Promise<void> {
    const { run, stage } = this;
    // A cancellation that came through a handler would close the workflow at once, before its children have ended.
    await CancellationScope.nonCancellable(() =>
      brief(`Ask the attempt to end: ${reason}`)
        .askToStop({ run, stage, reservation, reason })
        // A failure here would fail the stage; the attempt goes on, and what is asked holds for the next one.
        .catch(() => undefined),
    );
  }

  private async tell(state: 'running' | 'paused'): Promise<void> {
    this.board.setState({ stage: this.stage, state });
    const { parent } = workflowInfo();
    if (!parent) return;
    await CancellationScope.nonCancellable(() =>
      getExternalWorkflowHandle(parent.workflowId)
        .signal(stageStateSignal, { stage: this.stage, state })
        // The pipeline may have ended; then nothing needs the signal.
        .catch(() => undefined),
    );
  }
}

/** Passes requests of people to the stage that runs now. */
export class PipelineControl {
  private readonly board: StatusBoard;
  private paused = false;
  /** The running stage's workflow; null between stages, and while one is being started. */
  private child: StageHandle | null = null;
  private notices: Notice[] = [];

  constructor(board: StatusBoard) {
    this.board = board;
    setHandler(stageStateSignal, (state) => board.setState(state), { description: 'Sent by the running stage.' });
    setHandler(pauseUpdate, () => this.pause(), {
      description: 'Commits at the next step boundary, ends the stage and releases its GPUs until `resume`.',
    });
    setHandler(resumeUpdate, () => this.resume(), { description: 'Continues after `pause`.' });
    setHandler(preemptionNoticeSignal, (notice) => this.notice(notice), {
      description: 'A node will be preempted: commit at the next step boundary and resume on another node.',
    });
  }

  /** Runs a stage's workflow to its end; a pause that was asked for between two stages comes first. */
  async running<T>(stage: string, start: (leaving: Leaving) => Promise<StageHandle<T>>): Promise<T> {
    if (this.paused) {
      this.board.setState({ stage, state: 'paused' });
      await condition(() => !this.paused);
      this.board.setState({ stage, state: 'running' });
    }
    const now = Date.now();
    this.notices = this.notices.filter(({ until }) => until > now);
    const told = this.notices.length;
    const child = await start(this.notices.flatMap(({ node, until }) => (node === null ? [] : [[node, until]])));
    this.child = child;
    try {
      // What was asked for while it was being started; a signal to a workflow that does not exist yet is lost.
      if (this.paused) await tell(child, setPausedSignal, true);
      for (const { notice } of this.notices.slice(told)) await tell(child, preemptionNoticeSignal, notice);
      return await child.result();
    } finally {
      this.child = null;
    }
  }

  private async pause() {
    this.paused = true;
    if (this.child !== null) await tell(this.child, setPausedSignal, true);
    const { stage, stages } = this.board.status;
    // Prepare and report are too short to be paused: the next stage does not begin.
    if (!(stage in stages)) return this.board.status;
    const over = () => this.board.status.stage !== stage;
    await condition(() => this.board.isPaused(stage) || !this.paused || over(), '2 minutes');
    return this.board.status;
  }

  private async resume() {
    this.paused = false;
    if (this.child !== null) await tell(this.child, setPausedSignal, false);
    return this.board.status;
  }

  private async notice(notice: Partial<PreemptionNotice> = {}): Promise<void> {
    const { success, data } = PreemptionNotice.safeParse(notice);
    if (!success) return;
    // The next stage must not begin on that node either.
    this.notices.push({ notice, node: data.node, until: Date.now() + data.seconds * 1000 });
    if (this.child !== null) await tell(this.child, preemptionNoticeSignal, notice);
  }
}

interface Notice {
  notice: Partial<PreemptionNotice>;
  node: string | null;
  until: number;
}

type StageHandle<T = unknown> = Pick<ChildWorkflowHandle<() => Promise<T>>, 'signal' | 'result'>;

/** Signals a stage. The stage may just have ended, and a failure thrown here would fail the pipeline. */
async function tell<T extends unknown[]>(child: StageHandle, signal: SignalDefinition<T>, ...args: T): Promise<void> {
  await child.signal(signal, ...args).catch((error: unknown) => {
    if (isCancellation(error)) throw error;
  });
}
