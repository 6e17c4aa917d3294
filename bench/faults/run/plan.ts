import { KINDS } from '../faults/all-kinds.ts';
import type { FaultKind } from '../faults/fault-kind.ts';
import type { Stage } from '../observe/event-log.ts';
import { type Random, randomOf } from './seeded-random.ts';
import type { Scenario } from './small-spec.ts';

/** What one seed does: its scenario and its faults, in order. The same seed always makes the same plan. */
export interface Plan {
  seed: number;
  scenario: Scenario;
  faults: readonly { fault: FaultKind; stage: Stage }[];
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
  const chosen = scenario ?? scenarioOf(seed);
  const possible = KINDS.filter(
    (fault) =>
      fault.scenarios.includes(chosen) &&
      (!kinds || kinds.includes(fault.kind)) &&
      // What is special about the whole pipeline is its last stage.
      (chosen !== 'whole' || fault.stages.includes('audit')),
  );
  if (possible.length === 0) throw new Error(`Expected kinds of faults that scenario ${chosen} has, found none.`);
  const deck = dealt(random, possible, count, scenario ? seed : Math.floor(seed / EVERY[chosen]));
  const faults = deck
    .map((fault, index) => ({ fault, stage: stageOf(fault, chosen, index / deck.length) }))
    .sort((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage));
  const early = faults.filter(({ stage }) => stage === 'grpo');
  const steps = early.reduce((sum, { fault }) => sum + (fault.steps ?? STEPS_PER_FAULT), 6);
  return { seed, scenario: chosen, faults, steps };
}

const STAGES: readonly Stage[] = ['grpo', 'sft', 'audit'];

/** A vLLM takes a minute to start: every fifth seed has its judge served by gavel itself, every tenth goes on to the audit. */
const EVERY = { outside: 1, managed: 5, whole: 10 } as const satisfies Record<Scenario, number>;

function scenarioOf(seed: number): Scenario {
  if (seed % EVERY.managed === 0) return 'managed';
  return seed % EVERY.whole === 7 ? 'whole' : 'outside';
}

/** The last faults of a hand strike after GRPO; `share` is a fault's place in it, from 0 to 1. */
function stageOf({ stages }: FaultKind, scenario: Scenario, share: number): Stage {
  const wanted: Stage = scenario === 'whole' && share >= 0.5 ? 'audit' : share >= 0.75 ? 'sft' : 'grpo';
  const last = scenario === 'managed' ? 'grpo' : scenario === 'outside' ? 'sft' : 'audit';
  const possible = STAGES.slice(0, STAGES.indexOf(last) + 1).filter((stage) => stages.includes(stage));
  return possible.includes(wanted) ? wanted : (possible[0] as Stage);
}

/** Whole decks, shuffled, dealt on from hand to hand of a scenario: over a campaign every kind comes about equally often. */
function dealt(random: Random, kinds: readonly FaultKind[], count: number, hand_number: number): FaultKind[] {
  const start = (hand_number * count) % kinds.length;
  const turned = [...kinds.slice(start), ...kinds.slice(0, start)];
  const hand = Array.from({ length: count }, (_, index) => turned[index % turned.length] as FaultKind);
  return random.shuffled(hand);
}
