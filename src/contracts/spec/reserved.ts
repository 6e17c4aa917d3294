import { SamplingSpec } from './sampling.ts';

/**
 * Fields of a request that `extra_body` may not set. The gateway sets them, and trace and key say what it set: with another value
 * the model would answer another question than the one that is recorded.
 */
const RESERVED = new Set([
  ...Object.keys(SamplingSpec.shape),
  ...['model', 'messages', 'stream', 'stream_options', 'n', 'seed', 'max_completion_tokens', 'echo'],
  ...['logprobs', 'top_logprobs', 'prompt_logprobs', 'logprob_token_ids', 'return_tokens_as_token_ids'],
  ...['structured_outputs', 'response_format', 'allowed_token_ids', 'bad_words'],
  ...['continue_final_message', 'add_generation_prompt', 'add_special_tokens', 'chat_template', 'chat_template_kwargs'],
  ...['tools', 'tool_choice', 'functions', 'function_call', 'documents'],
]);

/** The fields of an `extra_body` that are not its to set. */
export const reservedIn = (extra_body: Record<string, unknown>): string[] =>
  Object.keys(extra_body).filter((name) => RESERVED.has(name) || name.startsWith('guided_'));
