import type { GradingMode } from '../../contracts/mode.ts';
import type { Rubric } from '../../contracts/rubric.ts';
import type { PairLabel, Verdict } from '../../contracts/verdict.ts';
import { replyTo } from '../../judging/examples.ts';
import { modes } from '../../judging/modes/registry.ts';
import { LABEL, SHOWN } from '../../judging/preference.ts';
import { readReply } from '../../judging/read-reply.ts';
import type { Reading } from '../../judging/reply.ts';

/** What a rubric's modes make of replies; no model is asked. */

/** One of the only answers that a mode takes. */
export interface Answer {
  answer: string;
  score: number | null;
  passes: boolean;
  /** Of a pair, which completion it says is better, A being shown first. */
  preferred: PairLabel | null;
}

export interface DryVerdict {
  reply: string;
  /** Whose reply it is: the command line's, the mode's own for a score, or that of an example. */
  from: 'command line' | 'mode' | 'example';
  /** The score or preference that it stands for; null: nobody says. */
  expected: number | PairLabel | null;
  verdict: Reading;
}

/** As a server sends a reply without probabilities. */
const PLAIN = { reasoning_content: null, refusal: null, finish_reason: 'stop', forced: false, logprobs: null };

const read = (rubric: Rubric, mode: GradingMode, content: string): Reading =>
  readReply({ content, ...PLAIN }, mode, rubric);

/** The answers with their scores; empty where a mode takes any text. */
export const answersOf = (rubric: Rubric, mode: GradingMode, choices: string[] | null): Answer[] =>
  (choices ?? []).map((answer) => {
    const { score, preference } = read(rubric, mode, answer);
    const passes = score !== null && score >= rubric.threshold;
    return { answer, score, passes, preferred: preference?.label ?? null };
  });

/** What a grader is taught to reply for each score; null where the mode has no reply of its own. */
export function taughtReplies(rubric: Rubric, mode: GradingMode): string[] | null {
  const replies = [...'0123456789'].map((score) =>
    modes[mode].answer(rubric, { score: Number(score), preferred: null }),
  );
  return replies.every((reply) => reply !== null) ? replies.map((reply) => reply.trim()) : null;
}

/** What a grader is taught to reply for each preference that it can be taught. */
const taughtPreferences = (rubric: Rubric, mode: GradingMode): [PairLabel, string][] =>
  SHOWN.flatMap((preferred) => {
    const reply = modes[mode].answer(rubric, { score: null, preferred });
    return reply === null ? [] : [[LABEL[preferred], reply.trim()] as [PairLabel, string]];
  });

/** What a verdict says: its score or, of a pair, its preference; null: it is not scored. */
export const saidBy = ({ score, preference }: Verdict): number | PairLabel | null => score ?? preference?.label ?? null;

/** Reads `reply` or, without one, a reply for each score that the mode can give: its own, else those of the examples. */
export function dryVerdicts(
  rubric: Rubric,
  mode: GradingMode,
  choices: string[] | null,
  reply: string | undefined,
): DryVerdict[] {
  const verdict = (reply: string, from: DryVerdict['from'], expected: DryVerdict['expected']): DryVerdict => {
    return { reply, from, expected, verdict: read(rubric, mode, reply) };
  };
  if (reply !== undefined) return [verdict(reply, 'command line', null)];
  if (modes[mode].pairs) return taughtPreferences(rubric, mode).map(([label, reply]) => verdict(reply, 'mode', label));
  const taught = taughtReplies(rubric, mode);
  if (taught === null)
    return (rubric.examples ?? []).map((one) => verdict(replyTo(rubric, mode, one), 'example', one.score));
  const scores = choices === null ? taught.keys() : answersOf(rubric, mode, choices).map(({ score }) => score);
  return [...scores].flatMap((score) => (score === null ? [] : [verdict(taught[score] as string, 'mode', score)]));
}

/** Replies that do not read as the score that they stand for, and answers that have none. */
export function misread(mode: GradingMode, answers: Answer[], dry: DryVerdict[]): string[] {
  return [
    ...answers
      .filter(({ score, preferred }) => score === null && preferred === null)
      .map(({ answer }) => `modes.${mode}: Expected a verdict for each answer, got none for "${answer}".`),
    ...dry
      .filter(({ expected, verdict }) => expected !== null && saidBy(verdict) !== expected)
      .map(
        ({ reply, expected, verdict }) =>
          `modes.${mode}: Expected "${reply}", the reply for ${expected}, to be read as that, got ${saidBy(verdict) ?? verdict.verdict}.`,
      ),
  ];
}
