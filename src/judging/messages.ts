import type { GradingMode } from '../contracts/mode.ts';
import type { Rubric } from '../contracts/rubric.ts';
import type { Message } from '../contracts/trace.ts';
import { framed, markOf } from './frame.ts';
import type { Subject } from './subject.ts';

export const PLACEHOLDER = /\{\{\s*([\w-]+)\s*\}\}/g;

/** The fields of a subject that a mode shows. */
export function shownIn(rubric: Rubric, mode: GradingMode): Set<string> {
  const texts = rubric.modes[mode].messages.map(({ content }) => content).join('\n');
  return new Set([...texts.matchAll(PLACEHOLDER)].map(([, name = '']) => name));
}

/** Fills a mode's messages. One pass, so braces inside a prompt or completion stay as they are. */
export function renderMessages(rubric: Rubric, mode: GradingMode, subject: Subject): Message[] {
  const scores = [...'0123456789'].map((score) => `${score}: ${rubric.scores[score]}`).join('\n');
  const { prompt, completion } = subject;
  const ground_truth = rubric.reference_guided ? (subject.ground_truth ?? '') : '';
  const mark = markOf([prompt, completion, ground_truth]);
  const known: Record<string, string> = {
    prompt,
    completion: rubric.frame === 'digest' ? framed(completion, mark) : completion,
    frame: mark,
    ground_truth,
    scores,
  };
  return rubric.modes[mode].messages.map(({ role, content }) => ({
    role,
    content: content.replace(PLACEHOLDER, (_, name: string) => known[name] ?? ''),
  }));
}
