import type { RolloutRecord } from '../../../src/contracts/stage.ts';
import type { Logged } from '../observe/event-log.ts';
import type { Assertion, Violation } from './assertions.ts';
import { recordsOf } from './committed-chain.ts';
import { type Ledger, readLedger } from './read-ledger.ts';
import type { RunDirectory } from './read-run-directory.ts';

/** What the ledger must hold: the verdicts that were acknowledged, and those that the committed rollouts were rewarded with. */

export interface Recorded {
  run: RunDirectory;
  stages: readonly string[];
  events: readonly Logged[];
  damaged: ReadonlySet<string>;
}

export function traceViolations(recorded: Recorded): Violation[] {
  const { run, stages } = recorded;
  const ledger = readLedger(run);
  const found: Violation[] = ledger.damage.map((detail) => ({
    assertion: 'every published file matches its digest',
    detail,
  }));
  const { occasions, twice } = byKey(ledger);
  found.push(...twice, ...unrecorded(recorded, occasions));
  if (!stages.includes('grpo')) return found;
  const { result } = run.result('grpo');
  const rollouts = [...run.chain('grpo', result?.checkpoint ?? null)].flatMap(({ name }) => run.rollouts('grpo', name));
  for (const rollout of rollouts) found.push(...ownTrace(rollout, occasions, recorded.damaged));
  if (result) found.push(...missingRollouts(rollouts, result.step, run.groupsOfAStep()));
  return found;
}

function byKey({ traces }: Ledger): { occasions: Map<string, string>; twice: Violation[] } {
  const occasions = new Map<string, string>();
  const twice: Violation[] = [];
  for (const { key, occasion } of traces) {
    if (occasions.has(key)) {
      twice.push({ assertion: 'each trace key once', detail: `${key} (${occasion}) is there twice` });
    }
    occasions.set(key, occasion);
  }
  return { occasions, twice };
}

function ownTrace(
  { step, group, rollout, trace_keys }: RolloutRecord,
  occasions: ReadonlyMap<string, string>,
  damaged: ReadonlySet<string>,
): Violation[] {
  const place = `grpo:${step}:${group}:${rollout}`;
  const assertion: Assertion = 'each rollout has a trace of its own in the ledger';
  return trace_keys.flatMap((key, vote) => {
    const occasion = occasions.get(key);
    if (occasion === `${place}:${vote}`) return [];
    if (occasion === undefined && damaged.has(key)) return [];
    const what = occasion === undefined ? 'is not in the ledger' : `belongs to ${occasion}`;
    return [{ assertion, detail: `${place}: its trace ${key.slice(0, 16)} ${what}` }];
  });
}

/** Rollouts that are missing from a committed step, or are there twice. */
function missingRollouts(
  rollouts: readonly RolloutRecord[],
  steps: number,
  { prompts_per_step, num_generations }: { prompts_per_step: number; num_generations: number },
): Violation[] {
  const assertion: Assertion = 'every committed step has all its groups';
  const seen = new Map<number, string[]>();
  for (const { step, group, rollout } of rollouts) {
    seen.set(step, [...(seen.get(step) ?? []), `${group}:${rollout}`]);
  }
  const places = Array.from({ length: prompts_per_step * num_generations }, (_, place) => {
    return `${Math.floor(place / num_generations)}:${place % num_generations}`;
  });
  return Array.from({ length: steps }, (_, index) => index + 1).flatMap((step) => {
    const own = seen.get(step) ?? [];
    const missing = places.filter((place) => !own.includes(place));
    if (missing.length === 0 && own.length === places.length) return [];
    const detail =
      missing.length > 0
        ? `step ${step} is without the rollouts ${missing.slice(0, 4).join(', ')}`
        : `step ${step} has ${own.length} rollouts, expected ${places.length}`;
    return [{ assertion, detail }];
  });
}

/** Verdicts that a gateway gave to a trainer while its epoch was the newest, and whose traces are not in the ledger. */
function unrecorded({ run, stages, events, damaged }: Recorded, occasions: ReadonlyMap<string, string>): Violation[] {
  const assertion: Assertion = 'every verdict that a gateway acknowledged is in the ledger';
  let acknowledged = 0;
  const found: Violation[] = [];
  for (const stage of stages) {
    const records = recordsOf(run, stage, events);
    for (const epoch of run.epochs(stage)) {
      const next = [...records.values()].find((record) => record.epoch > epoch);
      // What a superseded gateway recorded after the next epoch began is void.
      const until = next ? Date.parse(next.started_at) : Number.POSITIVE_INFINITY;
      for (const operation of run.operations(stage, epoch)) {
        if (operation.op !== 'acknowledge') continue;
        acknowledged += 1;
        if (1000 * operation.at >= until) continue;
        const missing = operation.keys.filter((key) => !occasions.has(key) && !damaged.has(key));
        const detail = `${stage} e${epoch}: ${missing[0]?.slice(0, 16)} is not in the ledger`;
        if (missing.length > 0) found.push({ assertion, detail });
      }
    }
  }
  // A recorder that was not there would find nothing missing.
  if (acknowledged === 0 && occasions.size > 0) return [{ assertion, detail: 'none was recorded' }];
  return found;
}
