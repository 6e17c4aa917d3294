import type { Rubric } from '../../contracts/rubric.ts';
import type { Message } from '../../contracts/trace.ts';
import type { ShownPreference } from '../preference.ts';
import type { Reading, Reply } from '../reply.ts';
import type { Subject } from '../subject.ts';
import type { Scale } from '../value.ts';

/** What a model is asked in a mode. */
export interface Prompting {
  messages: Message[];
  /** What the answer begins with, where the engine can continue a message. */
  answer_prefix: string | null;
  /** The only answers that are taken; null: any text. */
  choices: string[] | null;
  /** Longest answer, tokens; null: as the role's sampling says. */
  max_tokens: number | null;
}

/** A verdict whose reply is to be taught; of its two, the mode has a use for one. */
export interface Taught {
  score: number | null;
  preferred: ShownPreference | null;
}

/** How a verdict is asked for, read and taught. */
export interface Mode {
  /** Whether a subject has two completions. */
  pairs: boolean;
  build(rubric: Rubric, subject: Subject): Prompting;
  /** Of a pair, A is the completion that was shown first. */
  read(reply: Reply, scale: Scale): Reading;
  /** The reply that gives a verdict, after the answer prefix; null: only a reply of the judge can show one. */
  answer(rubric: Rubric, taught: Taught): string | null;
}
