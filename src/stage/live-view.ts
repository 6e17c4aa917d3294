import { hostname } from 'node:os';
import type { Heartbeat, LiveProcess } from '../contracts/status.ts';

/** The live view of one attempt at a stage: what its heartbeats carry. */
export class LiveView {
  readonly beat: Heartbeat;
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
    this.send(this.beat);
  }

  running(role: LiveProcess['role'], pid: number): void {
    const others = this.beat.processes.filter((entry) => entry.role !== role);
    this.update({ processes: [...others, { role, pid, host: hostname(), epoch: this.beat.epoch }] });
  }

  ended(role: LiveProcess['role']): void {
    const processes = this.beat.processes.filter((entry) => entry.role !== role);
    // Who died waits for nothing any more.
    this.update(role === 'gateway' ? { processes, waiting: null } : { processes });
  }

  /** Sends the view once a second until stopped: a quiet child is not a dead worker. */
  keepBeating(): () => void {
    const timer = setInterval(() => this.send(this.beat), 1000);
    return () => clearInterval(timer);
  }
}
