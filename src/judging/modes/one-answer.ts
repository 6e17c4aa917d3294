import { type Answers, optionsAt, type TokenLogprob } from '../options.ts';
import { type Reading, type Reply, reasoningOf } from '../reply.ts';
import { type Scale, scoredBy, unscored } from '../value.ts';

interface OneAnswer {
  answers: Answers;
  /** The score that the reply's text gives; null: none. */
  said: number | null;
  /** The answers in a word, for a person: "digit". */
  named: string;
  /** Whether a position's probabilities are those of the answers. */
  comparable: (token: TokenLogprob) => boolean;
}

/** Reads a reply that is one of a mode's answers and nothing else. */
export function readAnswer(reply: Reply, scale: Scale, { answers, said, named, comparable }: OneAnswer): Reading {
  const token = reply.logprobs?.find((position) => position.token.trim() !== '') ?? null;
  // A forced answer does not show that the model would have chosen one.
  if (reply.forced && token === null) return { ...unscored('unparseable'), reasoning: withoutProbabilities(named) };
  const options = token !== null && comparable(token) ? optionsAt(token, answers) : null;
  return { ...scoredBy(said, options, scale), reasoning: reasoningOf(reply, '') };
}

const withoutProbabilities = (named: string): string =>
  `The server constrained the reply to the ${named}s and returned no log-probabilities, so nothing tells whether the model would have given a ${named}.`;
