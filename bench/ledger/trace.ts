import type { Trace } from '../../src/contracts/trace.ts';
import { sha256 } from '../../src/ledger/key.ts';

/** Traces of one step, all of one prompt. */
export const IN_STEP = 100;

/** Trace number `n`, of the size that a small judge's reasoned verdict has. */
export const trace = (n: number): Trace => ({
  key: sha256(String(n)),
  occasion: occasion(n),
  run: 'bench',
  stage: 'grpo',
  role: 'judge',
  mode: 'reasoned',
  model: 'judge',
  model_digest: sha256('judge'),
  endpoint: null,
  rubric_digest: sha256('rubric'),
  prompt: `Evaluate 2x^2-3x+1 at x=${Math.floor(n / IN_STEP)}.`,
  completion: `${n} ${'p'.repeat(400)}`,
  ground_truth: '15',
  messages: [{ role: 'user', content: `${n} ${'q'.repeat(800)}` }],
  answer_prefix: null,
  reply: `${'r'.repeat(600)} Score: ${n % 10}`,
  reasoning: 'r'.repeat(590),
  verdict: 'scored',
  score: n % 10,
  value: n % 10,
  value_rule: 'expectation',
  p_pass: Number(n % 10 >= 5),
  confidence: 0.8,
  distribution: Array.from({ length: 10 }, (_, digit) => (digit === n % 10 ? 0.8 : digit === (n + 1) % 10 ? 0.2 : 0)),
  off_scale_mass: 0.01,
  usage: { prompt_tokens: 300, completion_tokens: 200 },
  latency_ms: 300,
  altered: [],
  thinking: null,
  reused_from: null,
  created_at: new Date().toISOString(),
});

/** Step, group and rollout of trace `n`, with `IN_STEP` traces a step. */
const occasion = (n: number): string => `grpo:${1 + Math.floor(n / IN_STEP)}:0:${n % IN_STEP}:0`;
