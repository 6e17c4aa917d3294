import type { GatewayRole } from '../contracts/gateway.ts';
import type { Message } from '../contracts/trace.ts';
import type { Prompting } from '../judging/modes/mode.ts';

/**
 * Everything but model and messages that decides a reply, by its name in the request. All of it is in the call's key, and
 * nothing is left for a server to fill in.
 */
export interface Settings {
  body: Record<string, unknown>;
  temperature: number;
  max_tokens: number;
  /** What the answer begins with; null where none is sent. */
  answer_prefix: string | null;
  /** Text of the only tokens that may be sampled; null: any. */
  choices: string[] | null;
}

/** A choice is asked for greedily and unaltered: its distribution is what counts, and does not depend on temperature. */
const GREEDY = {
  temperature: 0,
  top_p: 1,
  top_k: 0,
  min_p: 0,
  repetition_penalty: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
};

/** Settings that vLLM knows and OpenAI does not, with the values that turn them off. */
const VLLM_ONLY = { top_k: 0, min_p: 0, repetition_penalty: 1 } as const;

/** The settings of one call to a role's model. */
export function settingsOf(role: GatewayRole, { answer_prefix, choices, max_tokens }: Prompting): Settings {
  const sampling = choices === null ? role.sampling : GREEDY;
  const vllm = role.engine === 'vllm';
  const named = Object.entries({ ...sampling, max_tokens: max_tokens ?? role.sampling.max_tokens });
  // Another server may refuse a field that it does not know, so there only what a person has set is sent.
  const sent = named.filter(([name, value]) => vllm || VLLM_ONLY[name as keyof typeof VLLM_ONLY] !== value);
  const template = vllm || Object.keys(role.chat_template_kwargs).length > 0;
  const body: Record<string, unknown> = {
    // First, so that it can add to what is asked and not change it.
    ...role.extra_body,
    ...Object.fromEntries(sent),
    ...(template && { chat_template_kwargs: role.chat_template_kwargs }),
  };
  return {
    body,
    temperature: Number(body.temperature),
    max_tokens: Number(body.max_tokens),
    answer_prefix: vllm ? answer_prefix : null,
    choices: vllm ? choices : null,
  };
}

/** The part of a request that its settings and messages make; the tokens of `choices` are the server's to name. */
export function requestOf({ body, answer_prefix }: Settings, messages: Message[]): Record<string, unknown> {
  if (answer_prefix === null) return { ...body, messages };
  const begun = [...messages, { role: 'assistant', content: answer_prefix }];
  return { ...body, messages: begun, continue_final_message: true, add_generation_prompt: false };
}

/** What a call's key holds of them. */
export function keyed({ body, answer_prefix, choices }: Settings): Record<string, unknown> {
  return { ...body, answer_prefix, choices };
}
