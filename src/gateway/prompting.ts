import type { GradingMode } from '../contracts/mode.ts';
import type { Rubric } from '../contracts/rubric.ts';
import { guardedPrompting } from '../judging/guard.ts';
import { modesOf } from '../judging/messages.ts';
import { modes } from '../judging/modes/registry.ts';
import type { LoadedRubric } from '../judging/rubric.ts';
import type { Subject } from '../judging/subject.ts';
import { badRequest } from './errors.ts';

/** The gateway's rubric; throws a bad request where it has none. */
export function rubricOf(rubric: LoadedRubric | null): LoadedRubric {
  if (rubric) return rubric;
  throw badRequest('Expected a gateway with a rubric; this one was started for chat only.', 'no_rubric');
}

/** What a mode asks with about one subject; throws a bad request where the rubric has no such mode, or needs a ground truth that is not given. */
export function promptingOf(rubric: Rubric, control: RegExp, mode: GradingMode, subject: Subject) {
  const { prompt, completion, opponent = null, ground_truth } = subject;
  if (rubric.reference_guided && ground_truth === null) {
    throw badRequest(`ground_truth: Expected text, because rubric "${rubric.name}" is reference-guided, got null.`);
  }
  const known = modesOf(rubric);
  if (!known.includes(mode)) {
    const message = `mode: Expected one of ${known.join(', ')}, which rubric "${rubric.name}" has templates for, got ${mode}.`;
    throw badRequest(message, 'no_template');
  }
  if (modes[mode].pairs !== (opponent !== null)) {
    const expected = modes[mode].pairs ? 'the completion to compare with' : 'null';
    throw badRequest(`opponent: Expected ${expected} in mode ${mode}, got ${opponent === null ? 'null' : 'text'}.`);
  }
  return guardedPrompting(rubric, mode, { prompt, completion, opponent, ground_truth }, control);
}
