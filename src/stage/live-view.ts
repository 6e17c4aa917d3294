import { hostname } from 'node:os';
import type { Heartbeat, LiveProcess } from '../contracts/status.ts';

const WAITING_LASTS_MS = 5000;

/** The live view of one attempt at a stage: what its heartbeats carry. */
export class LiveView {
  readonly beat: Heartbeat;
  private waiting_said = 0;
  private readonly send: (beat: Heartbeat) => void;

  constructor(stage: string, epoch: number | null, send: (beat: Heartbeat) => void) {
    this.send = send;
    this.beat = {
      stage,
      epoch,
      phase: 'start',
      step: 0,
      total: 0,
      metrics: {},
      waiting: null,
      checkpoint: null,
      processes: [],
    };
    this.running('worker', process.pid);
  }

  /** Changes what is shown and sends it; the SDK throttles. */
  update(change: Partial<Heartbeat>): void {
    Object.assign(this.beat, change);
    if (change.waiting) this.waiting_said = performance.now();
    this.send(this.beat);
  }

  /** true while a wait has been reported lately: it is reported once a second, and a child that stops reporting may hang. */
  isWaiting(): boolean {
    return this.beat.waiting !== null && performance.now() - this.waiting_said < WAITING_LASTS_MS;
  }

  running(role: LiveProcess['role'], pid: number): void {
    const others = this.beat.processes.filter((entry) => entry.role !== role);
    this.update({ processes: [...others, { role, pid, host: hostname(), epoch: this.beat.epoch }] });
  }

  ended(role: LiveProcess['role']): void {
    const processes = this.beat.processes.filter((entry) => entry.role !== role);
    // A dead process has no pending waits.
    this.update(role === 'gateway' ? { processes, waiting: null } : { processes });
  }

  /** Sends the view once a second until stopped: a quiet child is not a dead worker. */
  keepBeating(): () => void {
    const timer = setInterval(() => this.send(this.beat), 1000);
    return () => clearInterval(timer);
  }
}
