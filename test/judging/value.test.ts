import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DIGITS, optionsAt } from '../../src/judging/options.ts';
import { scoredBy } from '../../src/judging/value.ts';

/** One line of the fixture, which python/tests/audit/test_verdict_file.py reads too. */
interface Case {
  name: string;
  distribution: number[] | null;
  sampled: number | null;
  threshold: number;
  score: number;
  value: number;
  p_pass: number;
  passes: boolean;
}

const cases: Case[] = JSON.parse(readFileSync(new URL('../fixtures/verdict-numbers.json', import.meta.url), 'utf8'));

/** The token position that has these probabilities, and the sampled digit, or a word where none was sampled. */
const position = (distribution: number[], sampled: number | null) => {
  const top_logprobs = distribution
    .map((share, digit) => ({ token: String(digit), logprob: Math.log(share) }))
    .filter(({ logprob }) => Number.isFinite(logprob));
  const token = sampled === null ? 'so' : String(sampled);
  const logprob = sampled === null ? Number.NEGATIVE_INFINITY : Math.log(distribution[sampled] as number);
  return { token, logprob, top_logprobs };
};

describe('the numbers of a verdict', () => {
  it.each(cases)('$name', ({ distribution, sampled, threshold, score, value, p_pass, passes }) => {
    const digits = distribution && optionsAt(position(distribution, sampled), DIGITS);
    const verdict = scoredBy(sampled, digits, { threshold, max_off_scale_mass: 0.5 });
    expect(verdict).toMatchObject({
      verdict: 'scored',
      score,
      value_rule: distribution ? 'expectation' : 'score',
    });
    expect(verdict.value).toBeCloseTo(value, 12);
    expect(verdict.p_pass).toBeCloseTo(p_pass, 12);
    expect((verdict.p_pass ?? Number.NaN) > 0.5).toBe(passes);
  });
});
