import type { GradingMode } from '../contracts/mode.ts';
import { modes } from './modes/registry.ts';
import { type Reading, type Reply, reasoningOf } from './reply.ts';
import { type Scale, unscored } from './value.ts';

/** Turns a reply into a verdict. A reply without a score never becomes a number. */
export function readReply(reply: Reply, mode: GradingMode, scale: Scale): Reading {
  const refused = reply.refusal || reply.finish_reason === 'content_filter';
  if (refused) return { ...unscored('refused'), reasoning: reply.refusal || reasoningOf(reply, reply.content) };
  return modes[mode].read(reply, scale);
}
