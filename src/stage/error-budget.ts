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

// Ends of an attempt that did what it could, or that a person has seen to.
const ENDS_THE_ROW: readonly (string | undefined)[] = ['done', 'judge_away', 'policy_away', 'bad_request'];

/** Attempts in a row that ended by error without progress; preemptions neither count nor break the row. */
export function errorsWithoutProgress(past: PastEpoch[]): ErrorsInARow {
  const attempts: PastEpoch[] = [];
  let fullDisks = 0;
  for (const epoch of past.toReversed()) {
    if (epoch.progressed || ENDS_THE_ROW.includes(epoch.outcome?.status)) break;
    if (epoch.outcome?.status !== 'failed') continue;
    attempts.unshift(epoch);
    if (causeOf(epoch.outcome) === 'disk_full') fullDisks += 1;
  }
  return { attempts, errors: attempts.length - fullDisks + Math.floor(fullDisks / FULL_DISKS_PER_ERROR) };
}

// A node that is taken away without notice leaves nothing either, but hardly ten times before the first commit.
const SILENT_LIMIT = 10;

/**
 * The newest attempts in a row that were killed together with their worker, without progress. Where a control group has
 * `memory.oom.group`, the kernel does that to an attempt that runs out of memory, and no process is left to report it.
 */
export function silentInARow(past: PastEpoch[]): PastEpoch[] {
  const spoke = past.findLastIndex(({ outcome, progressed, started }) => outcome !== null || progressed || !started);
  return past.slice(spoke + 1);
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
  const silent = silentInARow(past);
  const tooMany = errors >= limits.max_errors_without_progress;
  if (!tooMany && silent.length < SILENT_LIMIT) return;
  const last = (tooMany ? attempts : silent).at(-1);
  const found = tooMany
    ? `${attempts.length} attempts at ${stage} ended by error without a commit. Last: ${withoutQuotes(last?.outcome?.message ?? 'unknown')}.`
    : `${silent.length} attempts at ${stage} in a row were killed with their worker, without a commit: out of memory?`;
  // Ends the row: once the cause is fixed, a resumed run has the whole budget again.
  const message = 'refused: too many attempts ended by error, or with their worker, without a commit';
  const refused: Outcome = { status: 'bad_request', message, field: null, cause: null };
  await writeAtomic(paths.stage(stage).epoch(epoch).outcome, refused);
  throw failure(
    'NoProgress',
    `${found} Log: ${paths.log(`${stage}-e${last?.epoch}`)}. ` +
      `Fix the cause, then \`gavel run runs/${paths.run}/spec.json --resume\`.`,
  );
}
