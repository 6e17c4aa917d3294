import type { RunPaths } from '../run-directory/paths.ts';
import { readResult } from '../run-directory/result.ts';
import { findMissing } from './missing.ts';
import { readTraces } from './reader.ts';

/** What the ledger's traces of the judge add up to. */
export interface LedgerTotals {
  /** Verdicts of the judge that count. */
  calls: number;
  /** Of these, the ones that share the reply to identical text: nothing was paid. */
  replayed: number;
  prompt_tokens: number;
  completion_tokens: number;
  /** Time spent in calls, summed over calls; calls run side by side, so it exceeds the wall time. */
  seconds: number;
  /** Calls in which control strings of prompt, completion or ground truth were broken up. */
  altered: number;
  /** Traces of committed rollouts that the ledger does not hold; null where GRPO has not ended. */
  missing: number | null;
}

/** Adds up what the judge of a run cost, from the traces that count, and what of them is lost. */
export async function ledgerTotals(paths: RunPaths): Promise<LedgerTotals> {
  const totals = await judgeTotals(paths.dir);
  const trained = await readResult(paths, 'grpo');
  if (trained?.checkpoint) totals.missing = (await findMissing(paths, trained.checkpoint)).traces;
  return totals;
}

/** Adds up what the judge cost whose traces are in a folder, that of an audit without a run say. */
export async function judgeTotals(run_dir: string): Promise<LedgerTotals> {
  const totals: LedgerTotals = {
    calls: 0,
    replayed: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    seconds: 0,
    altered: 0,
    missing: null,
  };
  for await (const trace of readTraces(run_dir, { role: 'judge' })) {
    totals.calls += 1;
    if (trace.altered.length > 0) totals.altered += 1;
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
