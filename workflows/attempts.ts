import { sleep } from '@temporalio/workflow';
import type { LimitsSpec } from '../src/contracts/spec/limits.ts';
import {
  DISK_FULL_PAUSE_MS,
  FULL_DISKS_PER_ERROR,
  failure,
  failureDetails,
  failureType,
  innermost,
  isError,
  mayRetry,
  messageOf,
} from '../src/failures.ts';
import { mayBeOfNode } from './node-errors.ts';

// Short, and always the same: the hundredth preemption of a month should cost no more than the first.
const PAUSE_MS = 500;

/**
 * The attempts at a stage, one after the other. How an attempt ended stands in its epoch's folder, and the next attempt counts what
 * stands there. An attempt that fails before (its spec, its ledger or the disk itself cannot be read) leaves nothing to count: those
 * are counted here, where no broken disk can lose them.
 */
export class Attempts {
  private readonly run: string;
  private readonly stage: string;
  private readonly limits: LimitsSpec;
  private errors = 0;
  private full_disks = 0;
  /** Attempts in a row that ended by what may be the node's own error. */
  private of_node = 0;
  private moved = false;

  constructor(run: string, stage: string, limits: LimitsSpec) {
    this.run = run;
    this.stage = stage;
    this.limits = limits;
  }

  /**
   * Tries until an attempt succeeds. Throws NoProgress, what may not be tried again, and, once for the stage, the second error in a
   * row that may be the node's own: the caller finds another node and calls again.
   */
  async untilDone<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!mayRetry(error)) throw error;
        this.count(error);
        this.of_node = mayBeOfNode(error) ? this.of_node + 1 : 0;
        if (this.of_node >= 2 && !this.moved) {
          this.moved = true;
          throw error;
        }
        await sleep(this.pause_ms(error));
      }
    }
  }

  private count(error: unknown): void {
    if (!isError(error)) return;
    if (failureDetails(error).epoch !== undefined) {
      this.errors = 0;
      this.full_disks = 0;
      return;
    }
    if (failureType(error) === 'DiskFull') this.full_disks += 1;
    else this.errors += 1;
    const errors = this.errors + Math.floor(this.full_disks / FULL_DISKS_PER_ERROR);
    if (errors < this.limits.max_errors_without_progress) return;
    throw failure(
      'NoProgress',
      `${this.errors + this.full_disks} attempts at ${this.stage} failed before they could begin. Last: ${messageOf(innermost(error))}. ` +
        `Fix the cause, then \`gavel run runs/${this.run}/spec.json --resume\`.`,
    );
  }

  private pause_ms(error: unknown): number {
    if (failureType(error) === 'DiskFull') return DISK_FULL_PAUSE_MS;
    // A shared disk that stutters is back within half a minute.
    if (this.errors > 0 && isError(error)) return Math.min(60_000, PAUSE_MS * 8 ** this.errors);
    return PAUSE_MS;
  }
}
