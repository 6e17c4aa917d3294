/**
 * Seconds to open a ledger: from the key indexes of its sealed segments beside reading every line, and the memory that the index holds.
 * `node --expose-gc bench/ledger-open.ts [traces] [folder]`; 3 KB of disk a trace.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../src/ledger/ledger.ts';
import { SegmentWriter } from '../src/ledger/writer.ts';
import { indexPath } from '../src/run-directory/paths.ts';
import { trace } from './ledger-trace.ts';

/** As a long run has them: 80,000 traces of this size make a segment full. */
const IN_SEGMENT = 80_000;
const IN_BATCH = 1000;

async function write(run_dir: string, traces: number): Promise<string[]> {
  const paths: string[] = [];
  for (let n = 0; n < traces; ) {
    const writer = await SegmentWriter.create(run_dir, 'grpo', 1, 1);
    paths.push(writer.path);
    for (const end = Math.min(traces, n + IN_SEGMENT); n < end; ) {
      const size = Math.min(IN_BATCH, end - n);
      const from = n;
      await writer.write(Array.from({ length: size }, (_, at) => trace(from + at)));
      n += size;
    }
    await writer.seal();
  }
  return paths;
}

async function open(run_dir: string) {
  gc?.();
  const before = process.memoryUsage();
  const started = performance.now();
  const ledger = await Ledger.open({ run_dir, stage: 'sft', epoch: 1 });
  const seconds = (performance.now() - started) / 1000;
  gc?.();
  const after = process.memoryUsage();
  const megabytes = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 1e6;
  await ledger.close();
  return { seconds, megabytes };
}

const traces = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'gavel-bench-ledger-'));
try {
  const segments = await write(folder, traces);
  const indexed = await open(folder);
  for (const path of segments) rmSync(indexPath(path));
  const lines = await open(folder);
  const figures = {
    traces,
    from_index_s: indexed.seconds,
    from_lines_s: lines.seconds,
    ratio: lines.seconds / indexed.seconds,
    index_mb: indexed.megabytes,
  };
  console.log(
    JSON.stringify(figures, (_, value) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value)),
  );
} finally {
  rmSync(folder, { recursive: true });
}
