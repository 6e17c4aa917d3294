/**
 * Traces made durable per second: one write and fsync per batch of waiting appends (what the ledger does) beside one per trace.
 * `node bench/ledger.ts [folder]`; the folder's disk decides, so give one on the disk that runs lie on.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Trace } from '../src/contracts/trace.ts';
import { sha256 } from '../src/ledger/key.ts';
import { Ledger } from '../src/ledger/ledger.ts';

const TRACES = 4_000;
/** Calls in flight in a default spec: how many appends can wait at once. */
const IN_FLIGHT = 64;

const trace = (n: number): Trace => ({
  key: sha256(String(n)),
  occasion: `grpo:${n}:0:0:0`,
  run: 'bench',
  stage: 'grpo',
  role: 'judge',
  mode: 'reasoned',
  model: 'judge',
  model_digest: sha256('judge'),
  rubric_digest: sha256('rubric'),
  prompt: 'Evaluate 2x^2-3x+1 at x=-2.',
  completion: 'p'.repeat(400),
  ground_truth: '15',
  messages: [{ role: 'user', content: 'q'.repeat(800) }],
  answer_prefix: null,
  reply: 'r'.repeat(600),
  reasoning: 'r'.repeat(590),
  verdict: 'scored',
  score: 7,
  value: 6.8,
  value_rule: 'expectation',
  p_pass: 1,
  confidence: 0.8,
  distribution: [0, 0, 0, 0, 0, 0, 0.2, 0.8, 0, 0],
  off_scale_mass: 0.01,
  usage: { prompt_tokens: 300, completion_tokens: 200 },
  latency_ms: 300,
  altered: [],
  thinking: null,
  reused_from: null,
  created_at: new Date().toISOString(),
});

async function perSecond(append: (n: number) => Promise<void>): Promise<number> {
  let next = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (next < TRACES) await append(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return TRACES / ((performance.now() - started) / 1000);
}

async function batched(folder: string): Promise<number> {
  const ledger = await Ledger.open({ run_dir: folder, stage: 'grpo', epoch: 1 });
  const rate = await perSecond((n) => ledger.append(trace(n)));
  await ledger.close();
  return rate;
}

async function eachAlone(folder: string): Promise<number> {
  const file = await open(join(folder, 'alone.jsonl'), 'a');
  let turn: Promise<unknown> = Promise.resolve();
  const rate = await perSecond((n) => {
    const written = turn.then(async () => {
      await file.appendFile(`${JSON.stringify(trace(n))}\n`);
      await file.datasync();
    });
    turn = written;
    return written;
  });
  await file.close();
  return rate;
}

const parent = process.argv[2] ?? tmpdir();
mkdirSync(parent, { recursive: true });
const folder = mkdtempSync(join(parent, 'gavel-bench-ledger-'));
try {
  const ledger = await batched(folder);
  const alone = await eachAlone(folder);
  const figures = {
    traces: TRACES,
    in_flight: IN_FLIGHT,
    batched_per_s: ledger,
    one_by_one_per_s: alone,
    ratio: ledger / alone,
  };
  console.log(JSON.stringify(figures, (_, value) => (typeof value === 'number' ? Math.round(value * 10) / 10 : value)));
} finally {
  rmSync(folder, { recursive: true });
}
