import { KINDS } from '../faults/all-kinds.ts';
import type { FaultKind } from '../faults/fault-kind.ts';
import type { Phase } from '../observe/event-log.ts';
import { type Card, DECKS } from './decks.ts';
import { randomOf } from './seeded-random.ts';
import { lastStage, type Scenario } from './small-spec.ts';

/** What one seed does: its scenario and its faults, in order. The same seed always makes the same plan. */
export interface Plan {
  seed: number;
  scenario: Scenario;
  faults: readonly { fault: FaultKind; stage: Phase }[];
  /** GRPO steps: enough that every fault finds the training still going on. */
  steps: number;
  /** Passes of SFT over its examples, for the same reason. */
  passes: number;
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
// A new node starts a server of the policy, which takes half a minute, before it takes the stage on.
const LONGER_WHERE_SERVED = 2;
// A step of SFT takes some hundredths of a second.
const SFT_STEPS_PER_FAULT = 100;
// SFT learns from four fifths of the eight traces of a GRPO step, in two modes, four at a time.
const SFT_STEPS_PER_GRPO_STEP = (2 * 0.8 * 8) / 4;
const PHASES: readonly Phase[] = ['prepare', 'grpo', 'sft', 'audit', 'report'];

export function planOf({ seed, count, scenario, kinds }: PlanOptions): Plan {
  const chosen = scenario ?? scenarioOf(seed);
  const deck = deckOf(chosen, kinds);
  if (deck.length === 0) throw new Error(`Expected kinds of faults that scenario ${chosen} has, found none.`);
  const start = count * (scenario ? seed : handsBefore(seed, chosen));
  const hand = Array.from({ length: count }, (_, index) => deck[(start + index) % deck.length] as Card);
  const faults = randomOf(seed)
    .shuffled(hand)
    .map(([kind, stage]) => ({ fault: named(kind), stage }))
    .sort((a, b) => placeOf(a) - placeOf(b));
  const inGrpo = faults.filter(({ stage }) => stage === 'grpo');
  const longer = chosen === 'served' ? LONGER_WHERE_SERVED : 1;
  const steps = inGrpo.reduce((sum, { fault }) => sum + (longer * (fault.steps ?? 0) || STEPS_PER_FAULT), 6);
  const inSft = faults.filter(({ stage }) => stage === 'sft').length;
  const passes = Math.max(0.5, (SFT_STEPS_PER_FAULT * inSft) / (SFT_STEPS_PER_GRPO_STEP * steps));
  return { seed, scenario: chosen, faults, steps, passes };
}

/** Its place in the run: by phase, and in the audit what ends the attempt first. */
const placeOf = ({ fault, stage }: { fault: FaultKind; stage: Phase }) =>
  PHASES.indexOf(stage) + (stage === 'audit' && fault.spares_trainer ? 0.5 : 0);

function named(kind: string): FaultKind {
  const found = KINDS.find((each) => each.kind === kind);
  if (!found) throw new Error(`Expected a kind of fault, got ${kind}.`);
  return found;
}

/**
 * The cards of a scenario; where only some kinds may be used, those of them, and of kinds that another deck holds one each. In one
 * order for all seeds: hands that follow each other deal the whole deck.
 */
function deckOf(scenario: Scenario, kinds: readonly string[] | undefined): readonly Card[] {
  const own = DECKS[scenario].filter(([kind]) => !kinds || kinds.includes(kind));
  const missing = (kinds ?? []).filter((kind) => !own.some(([each]) => each === kind)).map(named);
  const others = missing.filter((fault) => fault.scenarios.includes(scenario));
  return [...own, ...others.flatMap((fault, at) => cardOf(fault, scenario, at))];
}

/** Stages in turn, so that not all strike in the first. */
function cardOf({ kind, stages }: FaultKind, scenario: Scenario, at: number): Card[] {
  const after: Record<ReturnType<typeof lastStage>, Phase[]> = { grpo: ['sft', 'audit'], sft: ['audit'], audit: [] };
  const over = after[lastStage(scenario)];
  const possible = stages.filter((stage) => !over.includes(stage));
  const stage = possible[at % possible.length];
  return stage === undefined ? [] : [[kind, stage]];
}

/** Scenario of each seed by its last digit. A vLLM of its own takes a minute to start, so most seeds share the campaign's judge. */
const SCENARIOS: readonly Scenario[] = [
  ...(['managed', 'outside', 'outside', 'outside', 'outside'] as const),
  ...(['managed', 'outside', 'whole', 'whole', 'outside'] as const),
];

const scenarioOf = (seed: number): Scenario => SCENARIOS[seed % SCENARIOS.length] as Scenario;

/** How many smaller seeds have this scenario. */
function handsBefore(seed: number, scenario: Scenario): number {
  const inTen = (seeds: readonly Scenario[]) => seeds.filter((each) => each === scenario).length;
  const tens = Math.floor(seed / SCENARIOS.length);
  return tens * inTen(SCENARIOS) + inTen(SCENARIOS.slice(0, seed % SCENARIOS.length));
}
