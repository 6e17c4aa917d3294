import type { GradingMode } from '../contracts/mode.ts';
import type { PanelSpec } from '../contracts/spec/judge.ts';
import type { GradeRequest } from '../contracts/trace.ts';
import { PairOrder } from '../contracts/verdict.ts';
import { modes } from '../judging/modes/registry.ts';

/** The votes that a grading request makes, each with an occasion of its own. */
export interface Ballot {
  /** Which completion of a pair is shown first; null: the subject is none. */
  order: PairOrder | null;
  /** The request as the vote shows it. */
  shown: GradeRequest;
  occasions: string[];
}

/** One ballot, or one an order where the mode compares completions. */
export function ballotsOf(request: GradeRequest, mode: GradingMode, panel: PanelSpec): Ballot[] {
  const votes = Array.from({ length: panel.votes }, (_, vote) => vote);
  const { occasion, completion, opponent } = request;
  if (!modes[mode].pairs || opponent === null)
    return [{ order: null, shown: request, occasions: votes.map((vote) => `${occasion}:${vote}`) }];
  return PairOrder.options.map((order) => ({
    order,
    shown: order === 'ab' ? request : { ...request, completion: opponent, opponent: completion },
    occasions: votes.map((vote) => `${occasion}:${order}:${vote}`),
  }));
}
