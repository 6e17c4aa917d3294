import type { PanelSpec } from '../contracts/spec/judge.ts';
import type { PairLabel, PairOrder, Preference, Verdict } from '../contracts/verdict.ts';
import { isSplit, meanOrNull, unscoredOf } from './panel.ts';
import { type Shares, sharesOf, winOf } from './preference.ts';
import { NO_SCORE, unscored } from './value.ts';

type Preferred = Verdict & { preference: Preference };

/**
 * Makes one verdict about a pair of the votes in both orders. It is scored if more than half of the votes in each order are. Where the orders
 * do not say the same it is a tie (Zheng et al. 2023, "Judging LLM-as-a-judge", 3.4), and says which position the judge prefers. `win` is
 * the mean of both orders, so that a preference for a position does not count for either completion.
 */
export function combinePair(votes: Record<PairOrder, Verdict[]>, panel: PanelSpec): Verdict {
  const all = [...votes.ab, ...votes.ba];
  const off_scale_mass = meanOrNull(all.map((vote) => vote.off_scale_mass));
  if (isSplit(votes.ab) || isSplit(votes.ba)) return unscoredOf(all, off_scale_mass);
  const known = all.filter(isPreferred).every(({ preference }) => preference.distribution !== null);
  const ab = orderOf(votes.ab.filter(isPreferred), panel.combine, known);
  const ba = orderOf(votes.ba.filter(isPreferred), panel.combine, known);
  const shares = meanOf([ab.shares, ba.shares]);
  const distribution = known ? shares : null;
  const confidence = distribution && Math.max(distribution.A, distribution.B, distribution.tie);
  const seen = { confidence, distribution: null, off_scale_mass };
  if (panel.confidence_threshold > 0 && (confidence === null || confidence < panel.confidence_threshold))
    return { ...unscored('low_confidence'), ...seen };
  const order = agreementOf(ab.label, ba.label);
  const label = order === 'consistent' ? ab.label : 'tie';
  const win = (winOf(ab.shares) + winOf(ba.shares)) / 2;
  return { verdict: 'scored', ...NO_SCORE, ...seen, preference: { label, distribution, win, order } };
}

const isPreferred = (vote: Verdict): vote is Preferred => vote.preference != null;

/** What the votes in one order say: of a mean the shares of all, else those of the votes that gave the label in the middle, or most often. */
function orderOf(
  votes: Preferred[],
  combine: PanelSpec['combine'],
  known: boolean,
): { label: PairLabel; shares: Shares } {
  // Probabilities and bare labels are not on one scale, so that one vote without the former has all read by the latter.
  const sharesIn = ({ preference: { label, distribution } }: Preferred): Shares =>
    (known ? distribution : null) ?? sharesOf(label);
  const labels = votes.map(({ preference }) => preference.label);
  if (combine === 'mean') {
    const shares = meanOf(votes.map(sharesIn));
    return { label: mostProbable(shares), shares };
  }
  const label = combine === 'median' ? middle(labels) : mostProbable(meanOf(labels.map(sharesOf)));
  const those = votes.filter(({ preference }) => preference.label === label);
  return { label, shares: meanOf((those.length > 0 ? those : votes).map(sharesIn)) };
}

/** The label with the most mass; a tie where A and B have the same. */
function mostProbable({ A, B, tie }: Shares): PairLabel {
  if (tie >= A && tie >= B) return 'tie';
  if (A === B) return 'tie';
  return A > B ? 'A' : 'B';
}

/** Of labels from B over tie to A the one in the middle; a tie where the two in the middle of an even number differ. */
function middle(labels: PairLabel[]): PairLabel {
  const order: PairLabel[] = ['B', 'tie', 'A'];
  const sorted = [...labels].sort((one, other) => order.indexOf(one) - order.indexOf(other));
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return low === high && low !== undefined ? low : 'tie';
}

function meanOf(shares: Shares[]): Shares {
  const mean = (of: PairLabel) => shares.reduce((sum, each) => sum + each[of], 0) / shares.length;
  return { A: mean('A'), B: mean('B'), tie: mean('tie') };
}

/** The position that the two orders prefer together; a tie prefers none. */
function agreementOf(ab: PairLabel, ba: PairLabel): 'consistent' | 'first' | 'second' {
  const towards = (label: PairLabel, first: PairLabel) => (label === 'tie' ? 0 : label === first ? 1 : -1);
  const first = towards(ab, 'A') + towards(ba, 'B');
  if (first === 0) return 'consistent';
  return first > 0 ? 'first' : 'second';
}
