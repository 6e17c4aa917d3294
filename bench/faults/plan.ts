import type { FaultKind } from './fault-kind.ts';
import { KINDS } from './kinds.ts';
import { type Random, randomOf } from './random.ts';
import type { Scenario } from './small-spec.ts';

/** What one seed does: its scenario and its faults, in order. The same seed always makes the same plan. */
export interface Plan {
  seed: number;
  scenario: Scenario;
  faults: readonly { fault: FaultKind; stage: 'grpo' | 'sft' }[];
  /** GRPO steps: enough that every fault finds the training still going on. */
  steps: number;
}

export interface PlanOptions {
  seed: number;
  count: number;
  scenario?: Scenario;
  /** Names of the kinds that may be used; left out, all. */
  kinds?: readonly string[];
}

// Steps that a fault may take up: until it strikes, what is lost, and the commit that shows that work goes on.
const STEPS_PER_FAULT = 6;

export function planOf({ seed, count, scenario, kinds }: PlanOptions): Plan {
  const random = randomOf(seed);
  // Every fifth seed has its judge served by gavel itself: a vLLM takes a minute to start, each time.
  const chosen = scenario ?? (seed % 5 === 0 ? 'managed' : 'outside');
  const possible = KINDS.filter((fault) => fault.scenarios.includes(chosen) && (!kinds || kinds.includes(fault.kind)));
  if (possible.length === 0) throw new Error(`Expected kinds of faults that scenario ${chosen} has, found none.`);
  const deck = dealt(random, possible, count, seed);
  const trained = chosen === 'managed' ? deck.length : Math.ceil(deck.length * 0.75);
  const faults = deck
    .map((fault, index) => {
      const late = index >= trained || !fault.stages.includes('grpo');
      return { fault, stage: late && fault.stages.includes('sft') && chosen !== 'managed' ? 'sft' : 'grpo' } as const;
    })
    .sort((a, b) => a.stage.localeCompare(b.stage));
  const early = faults.filter(({ stage }) => stage === 'grpo').length;
  return { seed, scenario: chosen, faults, steps: 6 + STEPS_PER_FAULT * early };
}

/** Whole decks, shuffled, dealt on from seed to seed: over a campaign every kind comes about equally often. */
function dealt(random: Random, kinds: readonly FaultKind[], count: number, seed: number): FaultKind[] {
  const start = (seed * count) % kinds.length;
  const turned = [...kinds.slice(start), ...kinds.slice(0, start)];
  const hand = Array.from({ length: count }, (_, index) => turned[index % turned.length] as FaultKind);
  return random.shuffled(hand);
}
