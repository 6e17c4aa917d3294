import type { PairLabel, PairOrder, Preference, Verdict } from '../contracts/verdict.ts';
import type { Options } from './options.ts';
import { NO_SCORE, type Scale, seenIn, unscored } from './value.ts';

/** What the judge prefers, by where it stands in the messages. */
export type ShownPreference = 'first' | 'tie' | 'second';

/** The answers of a comparison, by the places that they have in `Options`, which has ten. */
export const SHOWN: readonly ShownPreference[] = ['first', 'tie', 'second'];

/** The labels where completion A is shown first. */
export const LABEL: Record<ShownPreference, PairLabel> = { first: 'A', tie: 'tie', second: 'B' };

/** The verdict of one reply about a pair whose completion A was shown first. `said` is an index into SHOWN; null: no answer. */
export function preferredBy(said: number | null, options: Options | null, scale: Scale): Verdict {
  const seen = seenIn(options);
  if (options !== null && options.off_scale_mass > scale.max_off_scale_mass)
    return { ...unscored('off_scale'), ...seen, distribution: null };
  const answer = SHOWN[options?.argmax ?? said ?? -1];
  if (answer === undefined) return { ...unscored('unparseable'), ...seen, distribution: null };
  const [A = 0, tie = 0, B = 0] = seen.distribution ?? [];
  const distribution = seen.distribution && { A, B, tie };
  // Neither is more probable than the other: whichever was sampled, the judge prefers none.
  const label = distribution !== null && A === B && A >= tie ? 'tie' : LABEL[answer];
  const preference = { label, distribution, win: winOf(distribution ?? sharesOf(label)), order: 'ab' as const };
  return { verdict: 'scored', ...NO_SCORE, ...seen, distribution: null, preference };
}

export type Shares = { A: number; B: number; tie: number };

/** All the mass on one label. */
export const sharesOf = (label: PairLabel): Shares => ({ A: 0, B: 0, tie: 0, [label]: 1 });

/** How far A beats B: a tie is half a win. */
export const winOf = ({ A, tie }: Shares): number => Math.min(1, A + tie / 2);

/** A vote's verdict as one about the pair in `order`; it was read as if completion A had been shown first. */
export function inOrder<V extends Verdict>(verdict: V, order: PairOrder): V {
  const { preference } = verdict;
  if (!preference || preference.order === order) return verdict;
  return { ...verdict, preference: { ...exchanged(preference), order } };
}

const EXCHANGED: Record<PairLabel, PairLabel> = { A: 'B', B: 'A', tie: 'tie' };

/** The same preference where the completions have changed their names. */
function exchanged({ label, distribution, win, order }: Preference): Preference {
  const shares = distribution && { A: distribution.B, B: distribution.A, tie: distribution.tie };
  return { label: EXCHANGED[label], distribution: shares, win: 1 - win, order };
}
