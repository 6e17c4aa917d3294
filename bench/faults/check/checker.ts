import type { Logged } from '../observe/event-log.ts';
import type { Violation } from './assertions.ts';
import { brokenChain } from './committed-chain.ts';
import { costsOf, tooMuchLost } from './fault-costs.ts';
import { journalViolations } from './journaled-rollouts.ts';
import { notices } from './lost-after-notice.ts';
import { publishedTooSoon } from './published-too-soon.ts';
import { RunDirectory } from './read-run-directory.ts';
import { traceViolations } from './recorded-traces.ts';
import type { Testimony } from './undisturbed-run.ts';

/**
 * The one checker. It trusts no code of gavel's: it reads the run directory by itself, compares it with what was seen from outside, and says
 * which of the assertions do not hold.
 */

export interface Evidence {
  root: string;
  run: string;
  stages: readonly string[];
  events: readonly Logged[];
  testimonies: readonly Testimony[];
  /** Keys of traces that a fault damaged in the ledger: they were there. */
  damaged: ReadonlySet<string>;
  /** Copies of the journals of a run whose rollouts servers sample; absent: it has none. */
  journals?: string;
}

export function check({ root, run: name, stages, events, testimonies, damaged, journals }: Evidence): Violation[] {
  const run = new RunDirectory(root, name);
  const found: Violation[] = events
    .filter((event) => event.event === 'violation')
    .map(({ assertion, detail }) => ({ assertion, detail }));
  for (const stage of stages) {
    if (stage !== 'audit') found.push(...brokenChain(run, stage, events));
    found.push(...brokenResult(run, stage, events));
  }
  found.push(...traceViolations({ run, stages, events, damaged }));
  if (journals !== undefined) found.push(...journalViolations({ run, events, journals }));
  found.push(...notices(events), ...publishedTooSoon(run, stages, events));
  found.push(...tooMuchLost(costsOf(0, events, new Set())));
  for (const { what, disturbed, undisturbed } of testimonies) {
    if (disturbed === undisturbed) continue;
    const detail = `${what}: ${disturbed.slice(0, 16)} disturbed, ${undisturbed.slice(0, 16)} undisturbed`;
    found.push({ assertion: 'the final adapter equals the witness', detail });
  }
  return found;
}

function brokenResult(run: RunDirectory, stage: string, events: readonly Logged[]): Violation[] {
  const { result, damage } = run.result(stage);
  if (!result) return [{ assertion: 'one result a stage', detail: `${stage} has none that counts: ${damage}` }];
  const seen = events.filter((event) => event.event === 'result' && event.stage === stage);
  const cut = events.filter((event) => event.event === 'fault' && event.kind === 'result half written').length;
  const found: Violation[] = [];
  // A result that a fault cut in half was seen as well: whole, half, and made again.
  const allowed = stage === 'grpo' && cut > 0 ? 1 + 2 * cut : 1;
  if (seen.length > allowed) {
    found.push({ assertion: 'one result a stage', detail: `${stage}: ${seen.length} different ones were seen` });
  }
  const newest = run.epochs(stage).at(-1) ?? 0;
  if (result.epoch !== newest) {
    const detail = `${stage}: the result is of epoch ${result.epoch}, and epoch ${newest} was taken`;
    found.push({ assertion: 'nothing from a stale epoch counts', detail });
  }
  return found;
}
