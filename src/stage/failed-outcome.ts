import type { InterruptionCause } from '../contracts/interruption.ts';
import type { Outcome } from '../contracts/stage.ts';
import { isDiskFull, messageOf, saysDiskFull } from '../failures.ts';

/** The outcome of an attempt that ended by an error of its worker, before a trainer could write one. */
export const failedOutcome = (error: unknown): Outcome => ({
  status: 'failed',
  message: messageOf(error),
  field: null,
  cause: isDiskFull(error) ? 'disk_full' : 'crashed',
});

/** What ended an attempt; one without an outcome was killed with its worker. */
export function causeOf(outcome: Outcome | null): InterruptionCause {
  if (outcome?.cause) return outcome.cause;
  if (outcome?.status !== 'failed') return 'preempted';
  return saysDiskFull(outcome.message) ? 'disk_full' : 'crashed';
}
