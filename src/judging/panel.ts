import type { PanelSpec } from '../contracts/spec/judge.ts';
import type { Verdict } from '../contracts/verdict.ts';
import { unscored } from './value.ts';

/**
 * Makes one verdict of a panel's votes. It is scored if more than half of them are; else it is of the kind that most
 * of the others have. A verdict less confident than the panel's threshold, or of unknown confidence, has no score.
 */
export function combine(votes: Verdict[], { combine, confidence_threshold }: PanelSpec): Verdict {
  const scored = votes.filter(isScored);
  const off_scale_mass = meanOrNull(votes.map((vote) => vote.off_scale_mass));
  if (isSplit(votes)) return unscoredOf(votes, off_scale_mass);
  const distribution = meanDistribution(scored);
  const confidence = distribution && Math.max(...distribution);
  const seen = { confidence, distribution, off_scale_mass };
  if (confidence_threshold > 0 && (confidence === null || confidence < confidence_threshold)) {
    return { ...unscored('low_confidence'), ...seen };
  }
  const value_rule = scored.every((vote) => vote.value_rule === 'expectation') ? 'expectation' : 'score';
  return { verdict: 'scored', ...numbers[combine](scored), value_rule, ...seen };
}

const isScored = ({ verdict }: Verdict): boolean => verdict === 'scored';

/** Whether no more than half of the votes are scored. */
export const isSplit = (votes: Verdict[]): boolean => 2 * votes.filter(isScored).length <= votes.length;

/** The verdict of a panel that is split: the votes without a score are the reason that it has none. */
export function unscoredOf(votes: Verdict[], off_scale_mass: number | null): Verdict {
  const kind = mostFrequent(votes.map(({ verdict }) => verdict).filter((verdict) => verdict !== 'scored'));
  return { ...(votes.find(({ verdict }) => verdict === kind) as Verdict), off_scale_mass };
}

type Numbers = { score: number; value: number; p_pass: number };

const numbers: Record<PanelSpec['combine'], (scored: Verdict[]) => Numbers> = {
  mean: (scored) => ({ score: mostProbable(scored), value: mean(valuesOf(scored)), p_pass: passOf(scored) }),

  /** An even number of votes has two in the middle; the lower one is the score, since a score is one that was given. */
  median(scored) {
    const scores = scored.map((vote) => vote.score as number).sort((a, b) => a - b);
    const values = valuesOf(scored).sort((a, b) => a - b);
    const half = Math.floor((scored.length - 1) / 2);
    const middle = values.slice(half, values.length - half);
    return { score: scores[half] as number, value: mean(middle), p_pass: passOf(scored) };
  },

  /** The score that most votes gave, and value and p_pass of those votes: of all, p_pass could fail what the score passes. */
  majority(scored) {
    const votes = new Array<number>(10).fill(0);
    for (const vote of scored) votes[vote.score as number] = (votes[vote.score as number] as number) + 1;
    const most = Math.max(...votes);
    const tied = votes.flatMap((count, digit) => (count === most ? [digit] : []));
    const score = mostProbable(scored, tied);
    const those = scored.filter((vote) => vote.score === score);
    return { score, value: mean(valuesOf(those)), p_pass: passOf(those) };
  },
};

const valuesOf = (scored: Verdict[]): number[] => scored.map((vote) => vote.value as number);

const passOf = (scored: Verdict[]): number => mean(scored.map((vote) => vote.p_pass as number));

/**
 * The digit with the most probability over all votes, of equal ones that which more votes gave, else the lowest. A vote without a
 * distribution is sure.
 */
function mostProbable(scored: Verdict[], among = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]): number {
  const massOf = (digit: number) =>
    mean(scored.map(({ score, distribution }) => distribution?.[digit] ?? Number(score === digit)));
  const givenBy = (digit: number) => scored.filter(({ score }) => score === digit).length;
  const comesBefore = (digit: number, best: number) =>
    massOf(digit) === massOf(best) ? givenBy(digit) > givenBy(best) : massOf(digit) > massOf(best);
  return among.reduce((best, digit) => (comesBefore(digit, best) ? digit : best));
}

/** Mean of the votes' distributions; null where a vote has none, because its share is not known. */
function meanDistribution(scored: Verdict[]): number[] | null {
  const known = scored.flatMap(({ distribution }) => (distribution ? [distribution] : []));
  if (known.length < scored.length) return null;
  return [...'0123456789'].map((digit) => mean(known.map((distribution) => distribution[Number(digit)] as number)));
}

function mostFrequent<T>(kinds: T[]): T {
  const countOf = (kind: T) => kinds.filter((other) => other === kind).length;
  return kinds.reduce((best, kind) => (countOf(kind) > countOf(best) ? kind : best));
}

const mean = (numbers: number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

export function meanOrNull(numbers: (number | null)[]): number | null {
  const known = numbers.filter((number) => number !== null);
  return known.length > 0 ? mean(known) : null;
}
