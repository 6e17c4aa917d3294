import type { Phase } from '../observe/event-log.ts';
import { randomOf } from './seeded-random.ts';
import type { Scenario } from './small-spec.ts';

/** A kind of fault, and where it strikes. */
export type Card = readonly [kind: string, stage: Phase];

/**
 * What ten seeds in a row deal, six faults a seed: 36 cards to the six seeds whose judge the campaign serves, 12 to the two whose
 * judge gavel serves, 12 to the two that go on to the audit. A kind with a number strikes that often.
 */
const outside: readonly (readonly [times: number, ...Card])[] = [
  [2, 'prepare killed', 'prepare'],
  [2, 'worker killed in prepare', 'prepare'],
  [2, 'judge rejects one completion (400)', 'grpo'],
  [2, 'judge fails on one completion (500)', 'grpo'],
  [2, 'judge says 429', 'grpo'],
  [2, 'judge says 500', 'grpo'],
  [2, 'judge answers garbage', 'grpo'],
  [1, 'trainer out of memory', 'grpo'],
  [1, 'trainer out of memory', 'sft'],
  [1, 'epoch.json damaged', 'grpo'],
  [1, 'epoch.json damaged', 'sft'],
  [1, 'HEAD damaged', 'grpo'],
  [1, 'HEAD damaged', 'sft'],
  [2, 'seal or key index damaged', 'sft'],
  [1, 'two faults before a commit', 'grpo'],
  [1, 'two faults before a commit', 'sft'],
  [2, 'trainer hangs', 'sft'],
  [2, 'worker stopped, then woken', 'sft'],
  [1, 'newest checkpoint damaged', 'grpo'],
  [1, 'ledger segment damaged', 'grpo'],
  [1, 'disk full', 'grpo'],
  [1, 'result half written', 'sft'],
  [1, 'trainer killed', 'grpo'],
  [1, 'trainer killed in a save', 'sft'],
  [1, 'trainer hangs', 'grpo'],
  [1, 'judge away', 'grpo'],
];

const managed: typeof outside = [
  [1, 'vLLM killed', 'grpo'],
  [1, 'vLLM engine killed', 'grpo'],
  [2, 'worker killed in a reservation', 'grpo'],
  [1, 'run cancelled and resumed', 'grpo'],
  [1, 'run paused and resumed', 'grpo'],
  [1, 'preemptionNotice', 'grpo'],
  [1, 'worker told to end (SIGTERM)', 'grpo'],
  [1, 'Temporal server killed', 'grpo'],
  [1, 'workflow worker killed', 'grpo'],
  [1, 'worker cut off from the server', 'grpo'],
  [1, 'worker stopped, then woken', 'grpo'],
];

const whole: typeof outside = [
  [2, 'trainer hangs', 'audit'],
  [2, 'worker stopped, then woken', 'audit'],
  [2, 'worker killed in the report', 'report'],
  [1, 'trainer killed', 'audit'],
  [1, 'gateway killed', 'audit'],
  [1, 'worker killed', 'grpo'],
  [1, 'node lost', 'grpo'],
  [1, 'judge moves', 'grpo'],
  [1, 'worker told to end (SIGTERM)', 'sft'],
];

/** Thirty cards: six seeds of five faults. */
const served: typeof outside = [
  [4, 'policy server killed', 'grpo'],
  [2, 'policy engine killed', 'grpo'],
  [2, 'policy server hangs', 'grpo'],
  [5, 'trainer killed in a publication', 'grpo'],
  [5, 'trainer killed with rollouts pending', 'grpo'],
  [2, 'journal torn', 'grpo'],
  [2, 'journal altered', 'grpo'],
  [1, 'two faults before a commit', 'grpo'],
  [1, 'newest checkpoint damaged', 'grpo'],
  [1, 'gateway killed', 'grpo'],
  [1, 'worker killed', 'grpo'],
  [1, 'worker told to end (SIGTERM)', 'grpo'],
  [1, 'worker stopped, then woken', 'grpo'],
  [1, 'worker cut off from the server', 'grpo'],
  [1, 'disk full', 'grpo'],
];

// Shuffled once, so that a hand holds kinds of several families.
const cards = (rows: typeof outside): readonly Card[] =>
  randomOf(9).shuffled(
    rows.flatMap(([times, kind, stage]) => Array.from({ length: times }, (): Card => [kind, stage])),
  );

export const DECKS: Record<Scenario, readonly Card[]> = {
  outside: cards(outside),
  managed: cards(managed),
  whole: cards(whole),
  served: cards(served),
};
