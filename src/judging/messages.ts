import { GradingMode } from '../contracts/mode.ts';
import type { ModeTemplate, Rubric } from '../contracts/rubric.ts';
import type { Message } from '../contracts/trace.ts';
import { framed, markOf } from './frame.ts';
import type { Subject } from './subject.ts';

export const PLACEHOLDER = /\{\{\s*([\w-]+)\s*\}\}/g;

/** The modes that a rubric has a template for. */
export const modesOf = (rubric: Rubric): GradingMode[] =>
  GradingMode.options.filter((mode) => rubric.modes[mode] !== undefined);

/** How a rubric asks in a mode. Throws an Error where it does not: callers have asked `modesOf`. */
export function templateOf(rubric: Rubric, mode: GradingMode): ModeTemplate {
  const template = rubric.modes[mode];
  if (template) return template;
  throw new Error(`rubric "${rubric.name}": expected one of ${modesOf(rubric).join(', ')}, got mode ${mode}`);
}

/** The fields of a subject that a mode shows. */
export function shownIn(rubric: Rubric, mode: GradingMode): Set<string> {
  const texts = templateOf(rubric, mode)
    .messages.map(({ content }) => content)
    .join('\n');
  return new Set([...texts.matchAll(PLACEHOLDER)].map(([, name = '']) => name));
}

/** Fills a mode's messages. One pass, so braces inside a prompt or completion stay as they are. */
export function renderMessages(rubric: Rubric, mode: GradingMode, subject: Subject): Message[] {
  const scores = [...'0123456789'].map((score) => `${score}: ${rubric.scores[score]}`).join('\n');
  const labels = (rubric.labels ?? []).map(({ label, meaning }) => (meaning === '' ? label : `${label}: ${meaning}`));
  const { prompt, completion, opponent = null } = subject;
  const ground_truth = rubric.reference_guided ? (subject.ground_truth ?? '') : '';
  const mark = markOf([prompt, completion, ...(opponent === null ? [] : [opponent]), ground_truth]);
  const shown = (text: string) => (rubric.frame === 'digest' ? framed(text, mark) : text);
  const known: Record<string, string> = {
    prompt,
    completion: shown(completion),
    completion_a: shown(completion),
    completion_b: shown(opponent ?? ''),
    frame: mark,
    ground_truth,
    scores,
    labels: labels.join('\n'),
  };
  return templateOf(rubric, mode).messages.map(({ role, content }) => ({
    role,
    content: content.replace(PLACEHOLDER, (_, name: string) => known[name] ?? ''),
  }));
}
