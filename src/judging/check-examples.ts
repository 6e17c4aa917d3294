import type { GradingMode } from '../contracts/mode.ts';
import type { Rubric, RubricExample } from '../contracts/rubric.ts';
import { leadingMessages, replyTo } from './examples.ts';
import { modesOf, PLACEHOLDER, templateOf } from './messages.ts';
import { modes } from './modes/registry.ts';
import { readReply } from './read-reply.ts';

type Fail = (field: (string | number)[], message: string) => never;

const OF_A_SUBJECT = ['prompt', 'completion', 'frame', 'ground_truth'];

/** Looks for what a rubric's examples get wrong; `fail` throws. */
export function checkExamples(rubric: Rubric, fail: Fail): void {
  if (rubric.examples === undefined) return;
  // An example is one completion with its score.
  const scoring = modesOf(rubric).filter((mode) => !modes[mode].pairs);
  for (const mode of scoring) checkTurns(rubric, mode, fail);
  for (const [at, example] of rubric.examples.entries()) {
    checkReference(rubric, example, at, fail);
    for (const mode of scoring) checkReply(rubric, mode, example, at, fail);
  }
}

/** Examples stand between what comes before the first message of the user and the question, which begins with it. */
function checkTurns(rubric: Rubric, mode: GradingMode, fail: Fail): void {
  const { messages } = templateOf(rubric, mode);
  const leading = leadingMessages(messages);
  const at = ['modes', mode, 'messages'];
  if (leading === messages.length) {
    fail(at, 'Expected a message of role user, because each example is a turn of the user and a reply, got none.');
  }
  for (const [index, { content }] of messages.slice(0, leading).entries()) {
    for (const [, name = ''] of content.matchAll(PLACEHOLDER)) {
      if (!OF_A_SUBJECT.includes(name)) continue;
      fail(
        [...at, index, 'content'],
        `Expected no {{${name}}} before the first message of role user, because the examples stand between the two: move it to that message.`,
      );
    }
  }
}

function checkReference({ reference_guided }: Rubric, { ground_truth }: RubricExample, at: number, fail: Fail): void {
  if (reference_guided && ground_truth === undefined)
    fail(['examples', at], 'Expected a ground_truth, because reference_guided is true, got none.');
  if (!reference_guided && ground_truth !== undefined)
    fail(
      ['examples', at, 'ground_truth'],
      'Expected none, because reference_guided is false: no judge would be shown it.',
    );
}

/** A reply that a person wrote must read as the score that it stands for. */
function checkReply(rubric: Rubric, mode: GradingMode, example: RubricExample, at: number, fail: Fail): void {
  const { score } = example;
  if (modes[mode].answer(rubric, { score, preferred: null }) !== null) return;
  const content = replyTo(rubric, mode, example);
  const plain = { reasoning_content: null, refusal: null, finish_reason: 'stop', forced: false, logprobs: null };
  const read = readReply({ content, ...plain }, mode, rubric);
  if (read.score === score) return;
  fail(
    ['examples', at, 'reasoning'],
    `Expected a reply that mode ${mode} reads as score ${score}, say one that ends in "Score: ${score}", got one that is ${read.score === null ? read.verdict : `read as ${read.score}`}.`,
  );
}
