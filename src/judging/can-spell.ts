import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface TokenizerFile {
  model?: { vocab?: Record<string, number> | [string, number][]; byte_fallback?: boolean };
  pre_tokenizer?: unknown;
}

/** Every character of a frame: brackets, its words and the digits of a mark. */
const FRAME = [...new Set('[begin ] end 0123456789abcdef')];

/**
 * Whether the tokenizer in `folder` has tokens for a frame. True where that cannot be told: tokenizers of common models spell any text, in
 * bytes if need be.
 */
export function canSpellFrame(folder: string): boolean {
  let tokenizer: TokenizerFile;
  try {
    tokenizer = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'));
  } catch {
    return true;
  }
  const { model, pre_tokenizer } = tokenizer;
  if (!model?.vocab || model.byte_fallback || JSON.stringify(pre_tokenizer ?? '').includes('"ByteLevel"')) return true;
  const words = new Set(Array.isArray(model.vocab) ? model.vocab.map(([word]) => word) : Object.keys(model.vocab));
  // SentencePiece writes a space as ▁, WordPiece leaves it out.
  return FRAME.every((letter) => words.has(letter) || (letter === ' ' && !words.has(' ')));
}
