import type { Verdict } from '../../contracts/verdict.ts';
import { type Answers, type Options, optionsAt, type TokenLogprob } from '../options.ts';
import { type Reading, type Reply, reasoningOf } from '../reply.ts';
import { type Scale, scoredBy, unscored } from '../value.ts';

interface OneAnswer {
  answers: Answers;
  /** The answer that the reply's text gives; null: none. */
  said: number | null;
  /** The answers in a word, for a person: "digit". */
  named: string;
  /** Whether a position's probabilities are those of the answers. */
  comparable: (token: TokenLogprob) => boolean;
  /** The verdict of an answer and of the probabilities of all. */
  verdictBy?: (said: number | null, options: Options | null, scale: Scale) => Verdict;
}

/** Reads a reply that is one of a mode's answers and nothing else. */
export function readAnswer(
  reply: Reply,
  scale: Scale,
  { answers, said, named, comparable, verdictBy = scoredBy }: OneAnswer,
): Reading {
  const token = reply.logprobs?.find((position) => position.token.trim() !== '') ?? null;
  // A forced answer does not show that the model would have chosen one.
  if (reply.forced && token === null) return { ...unscored('unparseable'), reasoning: withoutProbabilities(named) };
  const options = token !== null && comparable(token) ? optionsAt(token, answers) : null;
  return { ...verdictBy(said, options, scale), reasoning: reasoningOf(reply, '') };
}

/** The answer that a text is; null where it is none. "Yes." is "yes", but "a" is not "A". */
export function answerIn(text: string, answers: Answers): number | null {
  const form = (word: string) => (word.length === 1 ? word : word.toLowerCase()).normalize('NFC');
  const said = form(text.trim().replace(/[.!]$/, ''));
  for (const [word, answer] of answers) if (form(word) === said) return answer;
  return null;
}

/**
 * Whether every answer is among the tokens listed. Where the model was free to write anything, an answer that is not there may be several
 * tokens, of which the first has its probability.
 */
export function hasAll({ top_logprobs }: TokenLogprob, answers: Answers): boolean {
  const listed = new Set(top_logprobs.map(({ token }) => token.trim().normalize('NFC')));
  return answers.size > 0 && [...answers.keys()].every((word) => listed.has(word));
}

/** A word as a model writes it on: it is another token with the space before it. */
export const after = (prefix: string | null, word: string): string => (/\S$/.test(prefix ?? '') ? ` ${word}` : word);

const withoutProbabilities = (named: string): string =>
  `The server constrained the reply to the ${named}s and returned no log-probabilities, so nothing tells whether the model would have given a ${named}.`;
