import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { innermost } from '../src/failures.ts';
import type { StatusBoard } from './status.ts';

/** Does a workflow's work; a failure is shown on the board and thrown as its cause, so that the first line says what failed. */
export async function failing<T>(board: StatusBoard, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    board.fail();
    // A cancelled workflow must end as cancelled, not as failed.
    if (isCancellation(error)) throw error;
    throw causeOf(error);
  }
}

/** "Activity task failed" gives no reason; the typed failure inside does. */
function causeOf(error: unknown): unknown {
  const cause = innermost(error);
  if (cause === error || !(cause instanceof ApplicationFailure)) return error;
  return ApplicationFailure.create({
    message: cause.message,
    ...(cause.type && { type: cause.type }),
    details: cause.details ?? [],
    nonRetryable: true,
  });
}
