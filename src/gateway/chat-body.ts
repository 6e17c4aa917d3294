import type { ChatCompletionCreateParams } from 'openai/resources/chat/completions';

/** A chat request as it came, with the fields that this gateway does not know. */
export type ChatBody = ChatCompletionCreateParams & Record<string, unknown>;
