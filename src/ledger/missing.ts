import { z } from 'zod';
import { chainOf } from '../run-directory/checkpoint-chain.ts';
import type { Quarantined } from '../run-directory/checkpoints.ts';
import { newestEpoch, newestRecord } from '../run-directory/epoch-records.ts';
import { ContractError, readJsonLines } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { acceptedSegments } from './accepted.ts';
import { LedgerIndex } from './index.ts';

/**
 * Looks up the traces of committed rollouts in the ledger. Their rewards are in the weights, so an attempt continues without a missing trace;
 * but it counts and reports it, because nothing else would show it: a segment that lost whole lines at its end looks like a shorter one.
 */

/** What matters here of a line of rollouts.jsonl. */
const Traced = z.object({ trace_keys: z.array(z.string()) });

export interface Missing {
  /** Traces of committed rollouts that the ledger does not hold. */
  traces: number;
  /** Step of the newest of them. */
  example: { checkpoint: string; key: string } | null;
  /** Files of rollouts that could not be read to their end, so that their traces were not looked for. */
  unread: string[];
}

/** Looks for each trace of the rollouts in the chain of GRPO checkpoints that ends in `tip`. Linear in ledger and rollouts. */
export async function findMissing(paths: RunPaths, tip: string): Promise<Missing> {
  const index = new LedgerIndex();
  for (const segment of await acceptedSegments(paths.dir)) if (segment.stage === 'grpo') await index.load(segment);
  const found = new Set<string>();
  const missing: Missing = { traces: 0, example: null, unread: [] };
  for await (const checkpoint of chainOf(paths, 'grpo', tip)) {
    const path = paths.stage('grpo').rollouts(checkpoint);
    try {
      for await (const { trace_keys } of readJsonLines(path, Traced)) {
        for (const key of trace_keys) {
          if (index.has(key) || found.has(key)) continue;
          // A trace about a pair stands with both of its completions.
          found.add(key);
          missing.traces += 1;
          missing.example ??= { checkpoint, key };
        }
      }
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      missing.unread.push(`${checkpoint}/rollouts.jsonl`);
    }
  }
  return missing;
}

/** What is new about `missing`, in words; null where an earlier epoch of any stage has reported it. */
export async function newlyMissing(paths: RunPaths, { traces, example, unread }: Missing): Promise<Quarantined | null> {
  let said = 0;
  for (const stage of ['grpo', 'sft', 'audit'] as const) {
    const newest = await newestEpoch(paths, stage);
    const record = newest === null ? null : await newestRecord(paths, stage, newest);
    said = Math.max(said, record?.missing_traces ?? 0);
  }
  if (traces <= said) return null;
  const parts = [
    `${traces} ${traces === 1 ? 'trace' : 'traces'} of committed rollouts missing`,
    said > 0 && `${said} of them known before`,
    example && `for example ${example.key} of ${example.checkpoint}`,
    unread.length > 0 && `not read: ${unread.join(', ')}`,
  ];
  return { name: 'traces', reason: parts.filter(Boolean).join('; '), moved_to: null };
}
