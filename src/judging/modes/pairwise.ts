import type { PairTemplate, Rubric } from '../../contracts/rubric.ts';
import { renderMessages } from '../messages.ts';
import type { Answers } from '../options.ts';
import { preferredBy, SHOWN, type ShownPreference } from '../preference.ts';
import type { Scale } from '../value.ts';
import type { Mode } from './mode.ts';
import { after, answerIn, hasAll, readAnswer } from './one-answer.ts';

/** Enough for an answer that a model's vocabulary cuts into pieces. */
const MAX_TOKENS = 8;

/** The reply says which of two completions is better, by where it is shown. */
export const pairwise: Mode = {
  pairs: true,

  build(rubric, subject) {
    const template = templateIn(rubric);
    return {
      messages: renderMessages(rubric, 'pairwise', subject),
      answer_prefix: template.answer_prefix,
      choices: [...answersOf(rubric).keys()],
      max_tokens: MAX_TOKENS,
    };
  },

  read(reply, scale) {
    const answers = answersOf(scale);
    return readAnswer(reply, scale, {
      answers,
      said: answerIn(reply.content, answers),
      named: 'answer',
      comparable: (token) => reply.forced || hasAll(token, answers),
      verdictBy: preferredBy,
    });
  },

  /** Where ties cannot be said, none can be taught. */
  answer(rubric, { preferred }) {
    const template = templateIn(rubric);
    const word = preferred && wordOf(template, preferred);
    return word && after(template.answer_prefix, word);
  },
};

function templateIn({ modes }: Pick<Scale, 'modes'>): PairTemplate {
  if (modes?.pairwise) return modes.pairwise;
  throw new Error('Expected a rubric with a template modes.pairwise, got none.');
}

const wordOf = (template: PairTemplate, preferred: ShownPreference): string | null => template[preferred];

/** The answers by their indices in SHOWN. */
function answersOf(rubric: Pick<Rubric, 'modes'> | Pick<Scale, 'modes'>): Answers {
  const template = templateIn(rubric);
  const words = SHOWN.map((preferred, at) => [wordOf(template, preferred)?.normalize('NFC'), at] as const);
  return new Map(words.filter((word): word is [string, number] => word[0] !== undefined));
}
