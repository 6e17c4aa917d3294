import type { Trace } from '../../src/contracts/trace.ts';
import { sha256 } from '../../src/ledger/key.ts';

/** Trace number `n`: equal numbers give equal traces, other numbers other keys. */
export const aTrace = (n: number, more: Partial<Trace> = {}): Trace => ({
  key: sha256(`${n}`),
  occasion: `grpo:${n}:0:0:0`,
  run: 'test',
  stage: 'grpo',
  role: 'judge',
  mode: 'reasoned',
  model: 'm',
  model_digest: null,
  rubric_digest: 'r',
  prompt: `prompt ${n}`,
  completion: 'é',
  ground_truth: null,
  messages: [{ role: 'user', content: `${n}` }],
  reply: 'Score: 5',
  reasoning: null,
  verdict: 'scored',
  score: n % 10,
  expectation: null,
  distribution: null,
  off_digit_mass: null,
  usage: null,
  latency_ms: 1,
  reused_from: null,
  created_at: '2026-01-01T00:00:00Z',
  ...more,
});
