/** One position of an OpenAI `logprobs.content` list. */
export interface TokenLogprob {
  token: string;
  logprob: number;
  top_logprobs: { token: string; logprob: number }[];
}

export interface Digits {
  /** Most probable digit among those seen, of tied ones the sampled one, else the lowest; null where none was. */
  argmax: number | null;
  /** Renormalised over the ten digits; null where unseen digits could change it. */
  distribution: number[] | null;
  confidence: number | null;
  /** 1 minus the mass of the digits seen. */
  off_scale_mass: number;
}

/**
 * A list of the 20 likeliest tokens need not hold all ten digits. Each that is missing has at most the mass of the
 * least likely token listed; while all of them together can be at most this share of the mass seen, they are taken as 0.
 * Beyond it the shares among digits are unknown, and unknown is null: 5% moves an expectation by at most 0.45.
 */
const UNSEEN_SHARE = 0.05;

/**
 * Reads the ten digits out of one token position; tokens are compared after trimming, so "7" and " 7" add up.
 *
 * The mass outside the digits is only honest if the server reports probabilities from before it constrains sampling.
 * vLLM's default, `logprobs_mode: raw_logprobs`, takes them before `allowed_token_ids` and temperature, but after the
 * grammar mask of `structured_outputs` (which would make it always 0): see `src/gateway/choice-tokens.ts`, which therefore uses the former.
 */
export function digitsAt(position: TokenLogprob): Digits {
  const mass = new Array<number>(10).fill(0);
  const seen = new Set<string>();
  let least = 1;
  for (const { token, logprob } of [...position.top_logprobs, position]) {
    if (seen.has(token) || !Number.isFinite(logprob)) continue;
    seen.add(token);
    const probability = Math.min(1, Math.exp(logprob));
    // The sampled token is listed even when it is not among the likeliest, so it bounds nothing unless it is alone.
    if (token !== position.token || position.top_logprobs.length <= 1) least = Math.min(least, probability);
    const text = token.trim();
    if (/^[0-9]$/.test(text)) mass[Number(text)] = (mass[Number(text)] as number) + probability;
  }
  const total = mass.reduce((sum, value) => sum + value, 0);
  const off_scale_mass = Math.min(1, Math.max(0, 1 - total));
  if (total === 0) return { argmax: null, distribution: null, confidence: null, off_scale_mass };

  const top = Math.max(...mass);
  // Of digits that are equally probable the sampled one: it is what the reply says.
  const said = position.token.trim();
  const argmax = /^[0-9]$/.test(said) && mass[Number(said)] === top ? Number(said) : mass.indexOf(top);
  const missing = mass.filter((value) => value === 0).length;
  const unseen = Math.min(missing * least, off_scale_mass);
  if (unseen > UNSEEN_SHARE * total) {
    return { argmax, distribution: null, confidence: null, off_scale_mass };
  }
  const distribution = mass.map((value) => value / total);
  return { argmax, distribution, confidence: Math.min(1, top / total), off_scale_mass };
}
