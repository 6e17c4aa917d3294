import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config } from '../../config.ts';
import { type TokenCountRequest, TokenCounts } from '../../contracts/token-count.ts';
import { allowedTokens, spellingsOf } from '../../gateway/choice-tokens.ts';
import type { Prompting } from '../../judging/modes/mode.ts';
import { readContractIfAny, writeAtomic } from '../../run-directory/files.ts';
import { CliError } from '../exit.ts';
import { runPython } from '../python.ts';

type Question = Pick<Prompting, 'messages' | 'answer_prefix' | 'choices'>;

export interface QuestionTokens {
  /** Of the content of each message. */
  contents: number[];
  /** Of the whole question as the chat template renders it; null: `problem` says why. */
  total: number | null;
  problem: string | null;
  /** How many tokens each answer is, alone and with a space before it; null where digits are asked for, which are asked for alone. */
  answers: { answer: string; alone: number; spaced: number | null }[];
  /** Whether a vLLM with this tokenizer lets the reply be one of the answers only; null: the mode takes any text. */
  constrained: boolean | null;
}

/** Counts the tokens of questions by the tokenizer in a model folder. Throws CliError. */
export async function countTokens(config: Config, folder: string, questions: Question[]): Promise<QuestionTokens[]> {
  const texts = [...new Set(questions.flatMap(({ choices }) => spellingsOf(choices ?? []).flat()))];
  const chats = questions.map(({ messages, answer_prefix }) => ({ messages, answer_prefix }));
  const counts = await askPython(config, { tokenizer: resolve(folder), chats, texts });
  const idsOf = (text: string): number[] => counts.texts[texts.indexOf(text)] ?? [];
  return Promise.all(
    questions.map(async ({ choices }, at): Promise<QuestionTokens> => {
      const [alone = [], spaced = null] = spellingsOf(choices ?? []);
      return {
        ...(counts.chats[at] as TokenCounts['chats'][number]),
        answers: alone.map((answer, index) => {
          const other = spaced?.[index];
          return { answer, alone: idsOf(answer).length, spaced: other === undefined ? null : idsOf(other).length };
        }),
        constrained: choices && (await allowedTokens(choices, async (text) => idsOf(text))) !== null,
      };
    }),
  );
}

async function askPython(config: Config, request: TokenCountRequest): Promise<TokenCounts> {
  const folder = await mkdtemp(join(tmpdir(), 'gavel-tokens-'));
  try {
    await writeAtomic(join(folder, 'request.json'), request);
    const code = await runPython(config, ['-m', 'gavel_train.judging.token_counts', folder]);
    const counts = code === 0 ? await readContractIfAny(join(folder, 'counts.json'), TokenCounts) : null;
    if (counts === null) throw new CliError(`Expected the number of tokens, but Python ended with exit code ${code}.`);
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
