import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { GradingMode } from '../contracts/mode.ts';
import { Rubric } from '../contracts/rubric.ts';
import { canonicalJson, sha256 } from '../ledger/key.ts';
import { checkExamples } from './check-examples.ts';
import { modesOf, PLACEHOLDER, templateOf } from './messages.ts';
import { modes } from './modes/registry.ts';

export interface LoadedRubric {
  rubric: Rubric;
  /** Digest of the content, so a changed comment in the file changes no key. */
  digest: string;
}

/** A rubric file that cannot be used; the message names file, line, field, expected and found. */
export class RubricError extends Error {
  override name = 'RubricError';
}

const KNOWN = ['prompt', 'completion', 'completion_a', 'completion_b', 'frame', 'scores', 'labels', 'ground_truth'];
const PAIR = ['completion_a', 'completion_b'];

/** Reads and checks a rubric that a person wrote (YAML or JSON). Throws RubricError. */
export function loadRubric(path: string): LoadedRubric {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new RubricError(`${path}: Expected a readable rubric file, got ${(error as NodeJS.ErrnoException).code}.`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [fault] = document.errors;
  if (fault) throw new RubricError(`${path}:${fault.linePos?.[0].line ?? 1}: ${fault.message.split('\n', 1)[0]}`);

  const fail = (field: (string | number)[], message: string): never => {
    const node = document.getIn(field, true) ?? document.getIn(field.slice(0, -1), true);
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    const line = range ? lines.linePos(range[0]).line : 1;
    throw new RubricError(`${path}:${line}: ${field.join('.') || 'rubric'}: ${message}`);
  };
  const parsed = Rubric.safeParse(document.toJS());
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return fail((issue?.path ?? []) as (string | number)[], issue?.message ?? 'Invalid.');
  }
  checkScores(parsed.data, fail);
  checkLabels(parsed.data, fail);
  checkPairWords(parsed.data, fail);
  for (const mode of modesOf(parsed.data)) checkTemplate(parsed.data, mode, fail);
  checkExamples(parsed.data, fail);
  return { rubric: parsed.data, digest: sha256(canonicalJson(parsed.data)) };
}

/**
 * Reads what `prepare` wrote: the canonical JSON of a rubric that was checked then. A gateway reads nothing else, so that what is asked
 * is what the run directory holds. Throws RubricError.
 */
export function readRubric(path: string): LoadedRubric {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new RubricError(`${path}: Expected the rubric of the run, got ${(error as NodeJS.ErrnoException).code}.`);
  }
  try {
    const rubric = Rubric.parse(JSON.parse(text));
    return { rubric, digest: sha256(canonicalJson(rubric)) };
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new RubricError(`${path}: Expected the rubric that prepare wrote (JSON): ${problem.replaceAll('\n', ' ')}`);
  }
}

/** A rubric as a run directory holds it. */
export const canonicalRubric = ({ rubric }: LoadedRubric): string => `${canonicalJson(rubric)}\n`;

type Fail = (field: (string | number)[], message: string) => never;

function checkScores(rubric: Rubric, fail: Fail): void {
  const missing = [...'0123456789'].filter((score) => !(score in rubric.scores));
  if (missing.length > 0)
    fail(['scores'], `Expected a meaning for each score 0 to 9, got none for ${missing.join(', ')}.`);
}

function checkLabels({ labels, modes, threshold }: Rubric, fail: Fail): void {
  if (labels === undefined) {
    if (modes.choice) fail(['modes', 'choice'], 'Expected labels, the answers that this mode chooses from, got none.');
    return;
  }
  if (!modes.choice) fail(['labels'], 'Expected a template modes.choice that asks for one of the labels, got none.');
  for (const [at, { label, score }] of labels.entries()) {
    const before = labels.slice(0, at);
    if (before.some((other) => other.label.toLowerCase() === label.toLowerCase()))
      fail(['labels', at, 'label'], `Expected labels that differ by more than capitals, got "${label}" twice.`);
    if (before.some((other) => other.score === score))
      fail(['labels', at, 'score'], `Expected a score of its own for each label, got ${score} twice.`);
  }
  const passing = labels.filter(({ score }) => score >= threshold).length;
  if (passing === 0 || passing === labels.length) {
    const side = passing === 0 ? 'below' : 'at or above';
    fail(['labels'], `Expected scores on both sides of the threshold ${threshold}, got all ${side} it.`);
  }
}

function checkPairWords({ modes: { pairwise } }: Rubric, fail: Fail): void {
  if (!pairwise) return;
  const said = new Map<string, string>();
  for (const name of ['first', 'second', 'tie'] as const) {
    const word = pairwise[name];
    if (word === null) continue;
    const before = said.get(word.toLowerCase());
    if (before) fail(['modes', 'pairwise', name], `Expected another answer than that of ${before}, got "${word}".`);
    said.set(word.toLowerCase(), name);
  }
}

function checkTemplate(rubric: Rubric, mode: GradingMode, fail: Fail): void {
  const used = new Set<string>();
  for (const [index, message] of templateOf(rubric, mode).messages.entries()) {
    for (const [, name = ''] of message.content.matchAll(PLACEHOLDER)) {
      if (!KNOWN.includes(name)) {
        fail(
          ['modes', mode, 'messages', index, 'content'],
          `Expected one of ${KNOWN.join(', ')} in {{ }}, got "${name}".`,
        );
      }
      used.add(name);
    }
  }
  const at = ['modes', mode, 'messages'];
  const [shown, others] = modes[mode].pairs ? [PAIR, ['completion']] : [['completion'], PAIR];
  for (const name of ['prompt', ...shown]) {
    if (!used.has(name)) fail(at, `Expected {{${name}}} in a message, got none: the judge would not see the ${name}.`);
  }
  const other = others.find((name) => used.has(name));
  if (other) fail(at, `Expected {{${shown.join('}} and {{')}}}, which mode ${mode} is about, got {{${other}}}.`);
  if (used.has('labels') && rubric.labels === undefined) fail(at, 'Expected no {{labels}}, because labels is missing.');
  if (rubric.frame === 'digest' && !used.has('frame')) {
    fail(
      at,
      'Expected {{frame}} in a message, because frame is digest, got none: tell the judge that the completion stands between "[begin {{frame}}]" and "[end {{frame}}]", or set frame to none.',
    );
  }
  if (rubric.frame === 'none' && used.has('frame')) {
    fail(at, 'Expected no {{frame}}, because frame is none.');
  }
  if (used.has('ground_truth') && !rubric.reference_guided) {
    fail(
      at,
      'Expected no {{ground_truth}}, because reference_guided is false: set it to true to show the judge the truth.',
    );
  }
  if (!used.has('ground_truth') && rubric.reference_guided) {
    fail(at, 'Expected {{ground_truth}} in a message, because reference_guided is true, got none.');
  }
}
