import type { GradingMode } from '../contracts/mode.ts';
import type { Rubric, RubricExample } from '../contracts/rubric.ts';
import type { Message } from '../contracts/trace.ts';
import { modes } from './modes/registry.ts';
import type { Subject } from './subject.ts';

/** What a mode would be asked about an example. */
export const subjectOf = ({ prompt, completion, ground_truth }: RubricExample): Subject => ({
  prompt,
  completion,
  ground_truth: ground_truth ?? null,
});

/**
 * What a mode replies to an example, without the answer prefix: servers that cannot continue a message get none, and what is asked, and
 * what a grader learns from it, must not depend on the server.
 */
export const replyTo = (rubric: Rubric, mode: GradingMode, example: RubricExample): string =>
  (modes[mode].answer(rubric, { score: example.score, preferred: null }) ?? example.reasoning).trim();

/** How many messages stand before the first of role user: they are alike for all questions, so the examples come after them. */
export function leadingMessages(messages: readonly Pick<Message, 'role'>[]): number {
  const first = messages.findIndex(({ role }) => role === 'user');
  return first < 0 ? messages.length : first;
}

/**
 * The messages of a question with the examples as earlier turns: what is alike for all questions comes first, where a prefix cache
 * holds it. `ask` gives the messages about an example's subject, `clean` what may be shown of a reply.
 */
export function withExamples(
  rubric: Rubric,
  mode: GradingMode,
  messages: Message[],
  { ask, clean }: { ask: (subject: Subject) => Message[]; clean: (reply: string) => string },
): Message[] {
  const leading = leadingMessages(messages);
  const turns = (rubric.examples ?? []).flatMap((example): Message[] => [
    ...ask(subjectOf(example)).slice(leading),
    { role: 'assistant', content: clean(replyTo(rubric, mode, example)) },
  ]);
  return [...messages.slice(0, leading), ...turns, ...messages.slice(leading)];
}
