import type { LimitsSpec } from '../contracts/spec/limits.ts';
import type { Outcome } from '../contracts/stage.ts';
import { FULL_DISKS_PER_ERROR, failure } from '../failures.ts';
import { withoutQuotes } from '../process/without-quotes.ts';
import { writeAtomic } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import type { PastEpoch } from './epoch-history.ts';
import { causeOf } from './failed-outcome.ts';

/** How many attempts at a stage may end by error without a commit: what their folders say is counted here. */

export interface ErrorsInARow {
  /** Oldest first. */
  attempts: PastEpoch[];
  /** What they count for. */
  errors: number;
}

/** Attempts in a row that ended by error without a commit; preemptions neither count nor break the row. */
export function errorsWithoutProgress(past: PastEpoch[]): ErrorsInARow {
  const attempts: PastEpoch[] = [];
  let fullDisks = 0;
  for (const epoch of past.toReversed()) {
    if (epoch.committed || epoch.outcome?.status === 'bad_request') break;
    if (epoch.outcome?.status !== 'failed') continue;
    attempts.unshift(epoch);
    if (causeOf(epoch.outcome) === 'disk_full') fullDisks += 1;
  }
  return { attempts, errors: attempts.length - fullDisks + Math.floor(fullDisks / FULL_DISKS_PER_ERROR) };
}

/** Throws NoProgress, on behalf of attempt `epoch`, where the attempts before it have used up the budget. */
export async function refuseWithoutProgress(
  paths: RunPaths,
  stage: string,
  limits: LimitsSpec,
  past: PastEpoch[],
  epoch: number,
): Promise<void> {
  const { attempts, errors } = errorsWithoutProgress(past);
  if (errors < limits.max_errors_without_progress) return;
  const last = attempts.at(-1);
  // Ends the row: once the cause is fixed, a resumed run has the whole budget again.
  const message = 'refused: too many attempts ended by error without a commit';
  const refused: Outcome = { status: 'bad_request', message, field: null, cause: null };
  await writeAtomic(paths.stage(stage).epoch(epoch).outcome, refused);
  throw failure(
    'NoProgress',
    `${attempts.length} attempts at ${stage} ended by error without a commit. Last: ${withoutQuotes(last?.outcome?.message ?? 'unknown')}. ` +
      `Log: ${paths.log(`${stage}-e${last?.epoch}`)}. Fix the cause, then \`gavel run runs/${paths.run}/spec.json --resume\`.`,
  );
}
