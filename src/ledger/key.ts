import { hash } from 'node:crypto';
import type { GradingMode } from '../contracts/mode.ts';
import type { GradingRole, Message } from '../contracts/trace.ts';
import { failpoint } from '../failpoints.ts';

/** Who answers. */
export interface Identity {
  model: string;
  model_digest: string | null;
  /** URL of a server that does not move and whose weights no digest names; null: the model is the same under any URL. */
  endpoint: string | null;
}

/** Everything that decides what a grading call asks. */
export interface Question extends Identity {
  /** Judge and grader may be served under one name. */
  role: GradingRole;
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

export const sha256 = (text: string): string => hash('sha256', text);

/** Key of one grading call: the same question on another occasion is another call. */
export function keyOf(question: Question, sampling: Record<string, unknown>, occasion: string): string {
  const about = failpoint('key-without-occasion') ? '' : occasion;
  return sha256(canonicalJson({ ...asked(question), sampling, occasion: about }));
}

/**
 * Digest of the question alone, by which a reply to identical text is found. Traces do not hold sampling
 * parameters, so a find must be checked by computing its key again. 128 bits: half the memory, and checked anyway.
 */
export function textDigest(question: Question): string {
  return hash('sha256', JSON.stringify(asked(question)), 'base64url').slice(0, 22);
}

/**
 * The question without what else a trace, which is one too, holds. Its names are in order, so that plain JSON of it is canonical: a ledger
 * without its indexes needs a digest for each line, and sorting names takes longer than all else.
 */
const asked = ({ role, model, model_digest, endpoint, rubric_digest, mode, messages }: Question): Question => {
  const inOrder = messages.map(({ role, content }) => ({ content, role }));
  return { endpoint, messages: inOrder, mode, model, model_digest, role, rubric_digest };
};
