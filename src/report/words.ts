import type { Measure } from '../contracts/audit.ts';
import { type Html, html } from './html.ts';

/** How figures are written, and the words that a reader may need explained. */

export const glossary = {
  judge: 'The language model that grades during training: the teacher.',
  grader: 'The model distilled from the judge’s graded answers: the student, and what this report is about.',
  base: 'The model that the grader was made from, before any training.',
  policy: 'The model that was trained by reinforcement learning (GRPO) on the judge’s scores.',
  verdict: 'The outcome of one grading call: a score, or the reason that there is none.',
  score: 'A digit from 0 (worst) to 9 (best), with the meaning that the rubric gives it.',
  value:
    'A real number from 0 to 9: the mean of the scores under their probabilities, or the score where those are not known.',
  reward:
    'What the trainer receives for one answer: the verifier’s mark and the judge’s value, mixed as the spec says.',
  'ground truth': 'The known right answer of a problem.',
  verifier: 'The exact check of an answer against the ground truth: right (1) or wrong (0).',
  rubric: 'The file that says what is graded and what each score means.',
  trace: 'One grading call kept whole, with its verdict, its cost and where it came from.',
  ledger: 'The append-only store of all traces of the run.',
  replayed: 'The ledger had the answer, so the model was not asked again.',
  checkpoint: 'A saved state of a model in training, from which the stage resumes after an interruption.',
  epoch: 'The number of one attempt at a stage; only the newest counts.',
  reasoned: 'Mode of grading: the model first writes its reasoning, then the score.',
  single_token: 'Mode of grading: the model answers with one digit; the score is the most probable one.',
  interval: 'Where the true figure plausibly lies, from a bootstrap that resamples whole prompts. Narrower is surer.',
  'quadratic weighted kappa':
    'Agreement of two graders beyond chance, large differences weighing most: 1 is perfect, 0 is chance.',
  'balanced accuracy':
    'The mean of two shares: right answers called right, and wrong answers called wrong. 50% is what a coin, or always saying “right”, would get.',
  gate: 'A bound set in the spec that a measure must clear, at the cautious end of its interval.',
} as const;

export type Word = keyof typeof glossary;

export const wordId = (word: string) => `word-${word.replaceAll(/[^a-z]+/g, '-')}`;

/** A word that explains itself: a tooltip for a mouse, a link to the glossary for everybody else. */
export function word(name: Word, shown: string = name): Html {
  return html`<a class="word" href="#${wordId(name)}" title="${glossary[name]}">${shown}</a>`;
}

export const percent = (value: number, digits = 0) => `${fixed(value * 100, digits)}%`;
export const points = (value: number) => `${value > 0 ? '+' : ''}${fixed(value * 100, 1)} points`;
export const count = (value: number) => value.toLocaleString('en-US');

/** Rounds without ever writing "-0". */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits).replace('-', '−');
  return /[1-9]/.test(text) ? text : text.replace('−', '');
}

export type Scale = 'share' | 'points' | 'kappa' | 'value';

export function figure(value: number, scale: Scale): string {
  if (scale === 'share') return percent(value, 1);
  if (scale === 'points') return points(value);
  return fixed(value, scale === 'value' ? 2 : 3);
}

/** "0.86 (0.83 to 0.89)", or why there is no figure. */
export function measured(measure: Measure | null, scale: Scale): string {
  if (measure === null) return 'not measured';
  if (measure.point === null) return `not computable (n = ${count(measure.n)})`;
  const range = measure.low === null || measure.high === null ? 'no interval' : interval(measure, scale);
  return `${figure(measure.point, scale)} (${range})`;
}

export function interval(measure: Measure, scale: Scale): string {
  if (measure.low === null || measure.high === null) return 'no interval';
  return `${figure(measure.low, scale)} to ${figure(measure.high, scale)}`.replace(' points to ', ' to ');
}

export function duration(seconds: number): string {
  if (seconds < 10) return `${fixed(seconds, 1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${fixed(seconds / 60, 1)} min`;
  return `${fixed(seconds / 3600, 1)} h`;
}

/** ISO time as people read it, in UTC, to the second. */
export function clock(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export const modeName = (mode: string) => mode.replaceAll('_', ' ');

/** What each measure that a gate can be about is called, and how it is written. */
export const gateMeasures: Record<string, { name: string; scale: Scale }> = {
  'fidelity.quadratic_weighted_kappa': { name: 'Agreement with the judge (quadratic weighted kappa)', scale: 'kappa' },
  'fidelity.exact': { name: 'Same score as the judge', scale: 'share' },
  'fidelity.within_1': { name: 'Score within 1 of the judge', scale: 'share' },
  'truth.grader.balanced_accuracy': { name: 'Grader against truth (balanced accuracy)', scale: 'share' },
  'truth.grader_minus_judge.balanced_accuracy': {
    name: 'Grader minus judge against truth (balanced accuracy)',
    scale: 'points',
  },
  'teacher_wrong.grader_follows_truth': { name: 'Grader right where the judge is wrong', scale: 'share' },
  'coverage.grader': { name: 'Answers that the grader scored', scale: 'share' },
};
