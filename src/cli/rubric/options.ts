import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { secretFrom } from '../../config.ts';
import { baseUrl } from '../../contracts/base-url.ts';
import { GatewayRole } from '../../contracts/gateway.ts';
import type { GradingMode } from '../../contracts/mode.ts';
import type { Rubric } from '../../contracts/rubric.ts';
import { modesOf } from '../../judging/messages.ts';
import { modes } from '../../judging/modes/registry.ts';
import type { Subject } from '../../judging/subject.ts';
import { CliError, EXIT } from '../exit.ts';

/** What `gavel rubric check` takes besides the file. */
export interface CheckOptions {
  row?: string;
  prompt?: string;
  completion?: string;
  opponent?: string;
  groundTruth?: string;
  mode?: GradingMode[];
  tokenizer?: string;
  reply?: string;
  ask?: string;
  model?: string;
  engine?: GatewayRole['engine'];
  apiKeyEnv?: string;
  json?: boolean;
}

/** Those of the modes that the subject fits. Throws CliError where one that was named compares and there is nothing to compare with. */
export function modesFor(asked: GradingMode[], { mode }: CheckOptions, { opponent }: Subject): GradingMode[] {
  if (opponent !== null) return asked;
  const unfit = mode?.find((one) => modes[one].pairs);
  if (unfit === undefined) return asked.filter((one) => !modes[one].pairs);
  throw usage(`--opponent: missing; expected the completion to compare with in mode ${unfit}, there or in the row.`);
}

/** A model that is asked once. */
export interface Place {
  url: string;
  model: string;
  engine: GatewayRole['engine'];
  api_key_env: string | null;
}

export const usage = (message: string): CliError => new CliError(message, { code: EXIT.usage });

/** The modes to show. Throws CliError where the rubric does not have one that is named. */
export function modesAsked(rubric: Rubric, { mode }: CheckOptions): GradingMode[] {
  const known = modesOf(rubric);
  const absent = mode?.find((one) => !known.includes(one));
  if (absent === undefined) return mode ? [...new Set(mode)] : known;
  throw usage(`--mode: expected one of ${known.join(', ')}, which the rubric has templates for; found ${absent}.`);
}

/** Who is asked; null: nobody. Throws CliError. */
export function placeAsked({ ask, model, engine, apiKeyEnv }: CheckOptions): Place | null {
  if (ask === undefined) {
    const given = { model, engine, 'api-key-env': apiKeyEnv };
    const idle = Object.entries(given).find(([, value]) => value !== undefined)?.[0];
    if (idle !== undefined) throw usage(`--${idle}: expected only with --ask, which says whom to ask.`);
    return null;
  }
  if (!baseUrl().safeParse(ask).success)
    throw usage(`--ask: expected a URL up to and including /v1, say http://127.0.0.1:8000/v1; found ${ask}.`);
  if (model === undefined) throw usage(`--model: missing; expected the name of the model at ${ask}.`);
  return { url: ask, model, engine: engine ?? 'openai', api_key_env: keyVariable(apiKeyEnv) };
}

function keyVariable(name: string | undefined): string | null {
  if (name === undefined) return null;
  if (!GatewayRole.shape.api_key_env.safeParse(name).success)
    throw usage(`--api-key-env: expected the name of a variable, say JUDGE_KEY, found ${name}: never the key itself.`);
  if (secretFrom(name) === null) throw usage(`--api-key-env: expected a key in the variable ${name}, found none.`);
  return name;
}

/** The model folder whose tokenizer counts; null: none was named. Throws CliError. */
export function tokenizerFolder({ tokenizer }: CheckOptions): string | null {
  if (tokenizer === undefined) return null;
  if (existsSync(join(tokenizer, 'tokenizer.json'))) return tokenizer;
  throw usage(`--tokenizer: expected a model folder with tokenizer.json, found none in ${tokenizer}.`);
}
