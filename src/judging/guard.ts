import type { GradingMode } from '../contracts/mode.ts';
import type { Rubric } from '../contracts/rubric.ts';
import type { Altered, Message } from '../contracts/trace.ts';
import { withExamples } from './examples.ts';
import { shownIn, templateOf } from './messages.ts';
import type { Prompting } from './modes/mode.ts';
import { modes } from './modes/registry.ts';
import type { Subject } from './subject.ts';

/**
 * Text that is judged stays text: it spells no control token of a model that reads it. vLLM and transformers turn `<|im_end|>` inside a
 * message into the token that ends the message (vllm#31735, transformers#29279).
 */

/** Characters that show nothing, variation selectors included, which a normaliser may drop before it looks for tokens. */
const WIDTHLESS = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * `text` with a space after the first character of each control string. A space is in every vocabulary, and no normaliser drops it;
 * the judge still reads what was written.
 */
export function breakUp(text: string, control: RegExp): string {
  let clean = text;
  // What is left and right of a break may spell another one.
  for (let last = ''; last !== clean; ) {
    last = clean;
    clean = clean.replace(control, (found) => found.replace(/^./su, '$& '));
  }
  // A tokenizer that normalises first sees <|im_end|> in ＜|im_end|＞ too.
  const plain = clean.normalize('NFKC').replace(WIDTHLESS, '');
  return plain !== clean && plain.search(control) >= 0 ? breakUp(plain, control) : clean;
}

const FIELDS = ['prompt', 'completion', 'opponent', 'ground_truth'] as const;

/** The placeholders that show a field. */
const SHOWN_AS = {
  prompt: ['prompt'],
  completion: ['completion', 'completion_a'],
  opponent: ['completion_b'],
  ground_truth: ['ground_truth'],
};

type Guarded = Prompting & { altered: Altered };

/** What a mode asks about a subject, after the rubric's examples, and which of the subject's fields that it shows were altered. */
export function guardedPrompting(rubric: Rubric, mode: GradingMode, subject: Subject, control: RegExp): Guarded {
  const question = guardedQuestion(rubric, mode, subject, control);
  // An example is one completion with its score.
  if (rubric.examples === undefined || modes[mode].pairs) return question;
  const messages = withExamples(rubric, mode, question.messages, {
    ask: (example) => guardedQuestion(rubric, mode, example, control).messages,
    clean: (reply) => breakUp(reply, control),
  });
  return { ...question, messages };
}

function guardedQuestion(rubric: Rubric, mode: GradingMode, subject: Subject, control: RegExp): Guarded {
  const clean = { ...subject };
  const altered: Altered = [];
  const shown = shownIn(rubric, mode);
  for (const field of FIELDS) {
    const text = subject[field];
    if (text === null || text === undefined || !SHOWN_AS[field].some((name) => shown.has(name))) continue;
    const broken = breakUp(text, control);
    if (broken === text) continue;
    clean[field] = broken;
    altered.push(field);
  }
  const prompting = modes[mode].build(rubric, clean);
  const messages = prompting.messages.map((message, at) => {
    const template = templateOf(rubric, mode).messages[at]?.content ?? '';
    return seamless(message, template, control);
  });
  return { ...prompting, messages, altered };
}

/** Two texts that the template puts side by side may spell a control string together. */
function seamless(message: Message, template: string, control: RegExp): Message {
  const count = (text: string) => text.match(control)?.length ?? 0;
  if (count(message.content) <= count(template)) return message;
  return { ...message, content: breakUp(message.content, control) };
}
