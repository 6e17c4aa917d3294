import { type Html, html } from './html.ts';

/** The words that a reader may need explained. What a measure is, the audit itself says. */

export const glossary = {
  judge: 'The language model that grades in the place of people: the teacher.',
  grader: 'The model that is to grade in the judge’s place: the student, and what this report is about.',
  base: 'The model that the grader was made from, before any training on the judge’s verdicts.',
  policy: 'The model that was trained by reinforcement learning (GRPO) on the judge’s scores.',
  'always pass': 'A made-up grader that calls every answer right. A real one has to do better.',
  verdict: 'The outcome of one grading call: a score or a preference, or the reason that there is none.',
  score: 'A digit from 0 (worst) to 9 (best), with the meaning that the rubric gives it.',
  value:
    'A real number from 0 to 9: the mean of the scores under their probabilities, or the score where those are not known.',
  reward:
    'What the trainer receives for one answer: the verifier’s mark and the judge’s value, mixed as the spec says.',
  'ground truth': 'The known right answer of a problem.',
  verifier: 'The exact check of an answer against the ground truth: right (1) or wrong (0).',
  rubric: 'The file that says what is graded and what each score means.',
  trace: 'One grading call kept whole, with its verdict, its cost and where it came from.',
  ledger: 'The append-only store of all traces.',
  replayed: 'The ledger had the answer, so the model was not asked again.',
  checkpoint: 'A saved state of a model in training, from which the stage resumes after an interruption.',
  epoch: 'The number of one attempt at a stage; only the newest counts.',
  mode: 'How a verdict is asked for and read.',
  reasoned: 'Mode of grading: the model first writes its reasoning, then the score.',
  single_token: 'Mode of grading: the model answers with one digit; the score is the most probable one.',
  choice: 'Mode of grading: the model answers with one of the rubric’s labels, each of which stands for a score.',
  'headline mode': 'The mode of the grader that gates name unless they name another.',
  interval:
    'Where the true figure plausibly lies. Answers to one prompt are alike, so intervals are made from whole prompts: by leaving out one prompt at a time (jackknife) with Student’s t, and for shares after Korn and Graubard. Narrower is surer.',
  n: 'The number of answers that a figure is computed from.',
  gate: 'A bound that a measure must clear at the cautious end of its interval.',
  look: 'One audit of answers to a set of prompts. Who looks often enough sees a pass by luck, so looks are counted.',
} as const;

export type Word = keyof typeof glossary;

/** Words that only the report of a run uses. */
export const wordsOfRuns: ReadonlySet<string> = new Set(['policy', 'reward', 'checkpoint', 'epoch']);

export const wordId = (word: string) => `word-${word.replaceAll(/[^a-z]+/g, '-')}`;

/** A word that explains itself: a tooltip for a mouse, a link to the glossary for everybody else. */
export function word(name: Word, shown: string = name): Html {
  return explained(wordId(name), shown, glossary[name]);
}

export function explained(id: string, shown: string, meaning: string): Html {
  return html`<a class="word" href="#${id}" title="${meaning}">${shown}</a>`;
}
