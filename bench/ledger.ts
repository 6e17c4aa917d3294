/**
 * Traces made durable per second: one write and fsync per batch of waiting appends (what the ledger does) beside one per trace.
 * `node bench/ledger.ts [folder]`; the folder's disk decides, so give one on the disk that runs lie on.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../src/ledger/ledger.ts';
import { trace } from './ledger-trace.ts';

const TRACES = 4_000;
/** Calls in flight in a default spec: how many appends can wait at once. */
const IN_FLIGHT = 64;

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
