import type { Verdict } from '../contracts/verdict.ts';
import type { TokenLogprob } from './options.ts';

/** The parts of a model server's reply that make a verdict. */
export interface Reply {
  content: string;
  /** Thinking that a server keeps apart from the content. */
  reasoning_content: string | null;
  refusal: string | null;
  finish_reason: string | null;
  /** Whether the server let the model choose among the answers of the mode alone. */
  forced: boolean;
  /** null: the server sent none. */
  logprobs: TokenLogprob[] | null;
}

/** A verdict, and what the model wrote before its score. */
export type Reading = Verdict & { reasoning: string | null };

/** The reasoning of a reply: its thinking, then what it says `before` its score; null where it has neither. */
export function reasoningOf(reply: Reply, before: string): string | null {
  const parts = [reply.reasoning_content, before].map((part) => part?.trim()).filter(Boolean);
  return parts.length > 0 ? parts.join('\n') : null;
}
