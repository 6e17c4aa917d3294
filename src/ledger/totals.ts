import type { LedgerTotals } from '../report/read-run.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readTraces } from './read-traces.ts';

/** Adds up what the judge of a run cost, from the traces that count. */
export async function ledgerTotals(paths: RunPaths): Promise<LedgerTotals> {
  const totals: LedgerTotals = { calls: 0, replayed: 0, prompt_tokens: 0, completion_tokens: 0, seconds: 0 };
  for await (const trace of readTraces(paths.dir, { role: 'judge' })) {
    totals.calls += 1;
    if (trace.reused_from !== null) {
      totals.replayed += 1;
      continue;
    }
    totals.prompt_tokens += trace.usage?.prompt_tokens ?? 0;
    totals.completion_tokens += trace.usage?.completion_tokens ?? 0;
    totals.seconds += trace.latency_ms / 1000;
  }
  return totals;
}
