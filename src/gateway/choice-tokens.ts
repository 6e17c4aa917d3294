import type { Endpoint } from './endpoint.ts';
import { judgeMisconfigured } from './errors.ts';
import { redirectIn } from './upstream-errors.ts';

/** Ids of the tokens that are the choices, per server, model and choices; null: a choice is more than one token there. */
const known = new Map<string, Promise<number[] | null>>();

/**
 * Finds the tokens that a reply is chosen from through vLLM's /tokenize, once per server.
 *
 * Constraining to `allowed_token_ids` keeps the mass outside the choices visible, which `structured_outputs` does not:
 * its grammar mask lands on the logits (gpu_model_runner.py, sample_tokens) before the sampler takes the raw
 * log-probabilities (v1/sample/sampler.py, step 1), the token whitelist after (step 3). `logprob_token_ids` would give
 * all ten exactly, but one such request takes the top 20 from every other request in its batch (sampler.py, forward).
 *
 * Words are asked for with a space before them, without it, or both ways: each way only if all of them are one token in it, since a
 * choice that is not would be left out.
 */
export function choiceTokens(endpoint: Endpoint, choices: string[], signal: AbortSignal): Promise<number[] | null> {
  const id = JSON.stringify([endpoint.base_url, endpoint.model, choices]);
  let found = known.get(id);
  if (!found) {
    found = ask(endpoint, choices, signal);
    known.set(id, found);
    // A server that is away is asked again.
    found.catch(() => known.delete(id));
  }
  return found;
}

/** How servers other than vLLM answer; busy and broken ones answer otherwise, and are asked again. */
const NO_SUCH_PATH = [400, 401, 403, 404, 405, 422, 501];

function ask(endpoint: Endpoint, choices: string[], signal: AbortSignal): Promise<number[] | null> {
  return allowedTokens(choices, (text) => tokensOf(endpoint, text, signal));
}

/** The ids of the tokens of a text; null: it is not known what they are. */
type Tokenize = (text: string) => Promise<number[] | null>;

/** The tokens that a reply is chosen from, by the rule above. */
export async function allowedTokens(choices: string[], tokenize: Tokenize): Promise<number[] | null> {
  const allowed: number[] = [];
  for (const spelled of spellingsOf(choices)) {
    const ids: number[] = [];
    for (const text of spelled) {
      const tokens = await tokenize(text);
      if (tokens === null) return null;
      if (tokens.length !== 1) break;
      ids.push(tokens[0] as number);
    }
    // A vocabulary without a choice has one token for all that it does not know.
    if (new Set(ids).size === spelled.length) allowed.push(...ids);
  }
  return allowed.length > 0 ? [...new Set(allowed)] : null;
}

/** Digits are asked for bare: what they are with a space before them differs between vocabularies, and their prompts end in one. */
export const spellingsOf = (choices: string[]): string[][] =>
  choices.every((choice) => /^[0-9]$/.test(choice)) ? [choices] : [choices, choices.map((choice) => ` ${choice}`)];

/** What vLLM makes of a text; null: the server does not say. */
async function tokensOf(
  { base_url, model, api_key }: Endpoint,
  prompt: string,
  signal: AbortSignal,
): Promise<number[] | null> {
  const url = `${base_url.replace(/\/v1\/?$/, '')}/tokenize`;
  const headers = { 'content-type': 'application/json', ...(api_key ? { authorization: `Bearer ${api_key}` } : {}) };
  const body = JSON.stringify({ model, prompt, add_special_tokens: false });
  const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
  if (!response.ok) {
    await response.body?.cancel();
    const redirect = redirectIn(response.status, response.headers);
    if (redirect !== null) throw judgeMisconfigured(`${url}: ${redirect}`);
    if (NO_SUCH_PATH.includes(response.status)) return null;
    throw new Error(`HTTP ${response.status} from ${url}`);
  }
  const { tokens } = (await response.json().catch(() => ({}))) as { tokens?: unknown };
  return Array.isArray(tokens) ? tokens : [];
}
