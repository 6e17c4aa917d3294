import { createHash } from 'node:crypto';
import type { GradingMode } from '../contracts/mode.ts';
import type { Message } from '../contracts/trace.ts';
import { failpoint } from '../failpoints.ts';

/** Who answers, under whatever URL. */
export interface Identity {
  model: string;
  model_digest: string | null;
}

/** Everything that decides what a grading call asks. */
export interface Question extends Identity {
  rubric_digest: string | null;
  mode: GradingMode;
  messages: Message[];
}

/** JSON with sorted keys and no spaces: equal values give equal bytes. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`).join(',')}}`;
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Key of one grading call: the same question on another occasion is another call. */
export function keyOf(question: Question, sampling: Record<string, unknown>, occasion: string): string {
  const { model, model_digest, rubric_digest, mode, messages } = question;
  const about = failpoint('key-without-occasion') ? '' : occasion;
  return sha256(canonicalJson({ model, model_digest, rubric_digest, mode, messages, sampling, occasion: about }));
}

/**
 * Digest of the question alone, by which a reply to identical text is found. Traces do not hold sampling
 * parameters, so a find must be checked by computing its key again. 128 bits: half the memory, and checked anyway.
 */
export function textDigest({ model, model_digest, rubric_digest, mode, messages }: Question): string {
  const text = canonicalJson({ model, model_digest, rubric_digest, mode, messages });
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
