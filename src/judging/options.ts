/** One position of an OpenAI `logprobs.content` list. */
export interface TokenLogprob {
  token: string;
  logprob: number;
  top_logprobs: { token: string; logprob: number }[];
}

/** A mode's answers by their text, each a number from 0 to 9: the score of a digit or label, or the place of another answer. */
export type Answers = ReadonlyMap<string, number>;

export const DIGITS: Answers = new Map(Array.from({ length: 10 }, (_, digit) => [String(digit), digit]));

/** What a token position says of a mode's answers. */
export interface Options {
  /** Most probable score among those seen, of tied ones the sampled one, else the lowest; null where none was. */
  argmax: number | null;
  /** Of the scores 0 to 9, renormalised over the answers; null where unseen ones could change it. */
  distribution: number[] | null;
  confidence: number | null;
  /** 1 minus the mass of the answers seen. */
  off_scale_mass: number;
}

/**
 * A list of the 20 likeliest tokens need not hold all answers. Each that is missing has at most the mass of the
 * least likely token listed; while all of them together can be at most this share of the mass seen, they are taken as 0.
 * Beyond it the shares among answers are unknown, and unknown is null: 5% moves an expectation by at most 0.45.
 */
const UNSEEN_SHARE = 0.05;

/**
 * Reads the answers out of one token position; tokens are compared after trimming, so "7" and " 7" add up.
 *
 * The mass outside the answers is only honest if the server reports probabilities from before it constrains sampling.
 * vLLM's default, `logprobs_mode: raw_logprobs`, takes them before `allowed_token_ids` and temperature, but after the
 * grammar mask of `structured_outputs` (which would make it always 0): see `src/gateway/choice-tokens.ts`, which therefore uses the former.
 */
export function optionsAt(position: TokenLogprob, answers: Answers): Options {
  const mass = new Array<number>(10).fill(0);
  const scoreOf = (token: string) => answers.get(token.trim().normalize('NFC'));
  const seen = new Set<string>();
  let least = 1;
  for (const { token, logprob } of [...position.top_logprobs, position]) {
    if (seen.has(token) || !Number.isFinite(logprob)) continue;
    seen.add(token);
    const probability = Math.min(1, Math.exp(logprob));
    // The sampled token is listed even when it is not among the likeliest, so it bounds nothing unless it is alone.
    if (token !== position.token || position.top_logprobs.length <= 1) least = Math.min(least, probability);
    const score = scoreOf(token);
    if (score !== undefined) mass[score] = (mass[score] as number) + probability;
  }
  const total = mass.reduce((sum, value) => sum + value, 0);
  const off_scale_mass = Math.min(1, Math.max(0, 1 - total));
  if (total === 0) return { argmax: null, distribution: null, confidence: null, off_scale_mass };

  const top = Math.max(...mass);
  // Of answers that are equally probable the sampled one: it is what the reply says.
  const said = scoreOf(position.token);
  const argmax = said !== undefined && mass[said] === top ? said : mass.indexOf(top);
  const missing = answers.size - mass.filter((value) => value > 0).length;
  const unseen = Math.min(missing * least, off_scale_mass);
  if (unseen > UNSEEN_SHARE * total) {
    return { argmax, distribution: null, confidence: null, off_scale_mass };
  }
  const distribution = mass.map((value) => value / total);
  return { argmax, distribution, confidence: Math.min(1, top / total), off_scale_mass };
}
