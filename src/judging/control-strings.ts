import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Strings that open or close a turn for chat models, for models whose tokenizer is not on this machine. Families are patterns, since they have
 * hundreds of reserved members; what they match beyond control tokens is markup that a graded text can spare a space in.
 */
const SHIPPED = [
  // ChatML (Qwen, SmolLM, Yi, Hermes), Llama 3 and 4, Phi, GPT-OSS, Command R, GLM, Granite, Zephyr, TinyLlama: <|im_end|>, <|eot_id|>.
  String.raw`<\|[^<>|\s]{1,64}\|>`,
  // Gemma 4 bars one side: <|turn>, <turn|>. EXAONE bars brackets: [|endofturn|].
  String.raw`<\|[\w/]{2,64}>|<[\w/]{2,64}\|>`,
  String.raw`\[\|\w{3,64}\|\]`,
  // DeepSeek writes full-width bars: <｜end▁of▁sentence｜>. Kimi and MiniMax write [EOS], ]~b] and [e~[.
  String.raw`<｜[^<>｜\s]{1,64}｜>`,
  String.raw`\]~[!b]?\w*\[?`,
  String.raw`\[e~\[`,
  // Sentence ends and unknowns of Llama 2, Mistral, Gemma, T5, BERT and similar models.
  String.raw`<\/?s>`,
  '<(?:bos|eos|pad|unk|mask|cls|sep|sop|eop|eod)>',
  // BERT, T5, Nemotron, Baichuan and others keep numbered tokens in reserve; ChatGLM, Seed and Cohere name theirs.
  String.raw`\[unused\d+\]|<extra_id_\d+>|<special_\d+>|<reserved_(?:\w+_)?\d+>`,
  String.raw`\[[gs]?MASK\]|<seed:[^<>\s]{1,64}>|<\w{1,32}_token>`,
  String.raw`\[(?:BOS|EOS|PAD|UNK|CLS|SEP|MASK)\]`,
  // Llama 2 and Mistral: [INST], [/INST], <<SYS>>, [AVAILABLE_TOOLS], [TOOL_CALLS], [SYSTEM_PROMPT], [THINK].
  String.raw`\[\/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|SYSTEM_PROMPT|THINK|IMG|IMG_BREAK|IMG_END)\]`,
  String.raw`<<\/?SYS>>`,
  // Gemma and SmolVLM: <start_of_turn>, <end_of_turn>, <unused12>, <start_of_image>, <end_of_utterance>.
  String.raw`<(?:start|end|begin)_of_\w{1,32}>`,
  String.raw`<unused\d+>`,
  // Qwen and DeepSeek: thinking and tools have tokens of their own.
  String.raw`<\/?(?:think|tool_call|tool_response|tools)>`,
  // StarCoder and SmolLM.
  String.raw`<(?:repo_name|reponame|file_sep|filename|gh_stars|issue_start|issue_comment|issue_closed|empty_output|fim_prefix|fim_middle|fim_suffix|fim_pad|jupyter_\w+)>`,
];

/** What a chat template writes between turns, special token or not: <|user|>, [INST], <<SYS>>, <tool_response>. */
const MARKER = /<<\/?\w+>>|<[|｜]?\/?[^\s<>'"{}%=|｜]{1,64}[|｜]?>|\[\/?[A-Z_]{2,}\]/g;

interface AddedToken {
  content?: unknown;
  special?: unknown;
}

/**
 * A pattern that finds what any of the models that read a text takes for control tokens: the tokens of the tokenizers in `folders`, what
 * their chat templates mark turns with, and the shipped list. A trace of the judge is read by the grader too, which learns from it,
 * so the tokenizers of both count.
 */
export function controlStrings(folders: string[]): RegExp {
  // Some tokenizers fold case before they look for tokens. Of two that begin alike the longer must be found first.
  const own = [...new Set(folders.flatMap(ofTokenizer))].sort((a, b) => b.length - a.length);
  return new RegExp([...own.map(escaped), ...SHIPPED].join('|'), 'gi');
}

function ofTokenizer(folder: string): string[] {
  const tokenizer = readJson(join(folder, 'tokenizer.json')) as { added_tokens?: AddedToken[] } | null;
  const config = readJson(join(folder, 'tokenizer_config.json')) as {
    added_tokens_decoder?: Record<string, AddedToken>;
    chat_template?: unknown;
  } | null;
  const template = `${read(join(folder, 'chat_template.jinja')) ?? ''}${JSON.stringify(config?.chat_template ?? '')}`;
  const found: string[] = template.match(MARKER) ?? [];
  for (const { content, special } of [
    ...(tokenizer?.added_tokens ?? []),
    ...Object.values(config?.added_tokens_decoder ?? {}),
  ]) {
    // Some vocabularies add whole words and line breaks as tokens that mean nothing else.
    if (typeof content === 'string' && (special === true || isMarker(content))) found.push(content);
  }
  // A break at the first character only breaks what does not begin with a space.
  return found.map((text) => text.trim()).filter((text) => text.length > 1);
}

const isMarker = (text: string): boolean => text.match(MARKER)?.[0] === text;

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(read(path) ?? 'null');
  } catch {
    return null;
  }
}
