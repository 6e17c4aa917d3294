import type { GradingMode } from '../contracts/mode.ts';
import type { GradingRole, StageName, Trace } from '../contracts/trace.ts';
import type { VerdictKind } from '../contracts/verdict.ts';
import { acceptedSegments } from './accepted.ts';
import { parseLine } from './line.ts';
import { segmentLines } from './segment.ts';

/** Which traces are wanted; what is left out is not asked for. */
export interface TraceFilter {
  stage?: StageName;
  role?: (typeof GradingRole.options)[number];
  mode?: GradingMode;
  verdict?: VerdictKind;
  /** Start of the occasion, say `grpo:12:` for step 12. */
  occasion?: string;
  /** Key, or its first digits. */
  key?: string;
  min_score?: number;
  max_score?: number;
  /** Part of prompt, completion, opponent or reply. */
  text?: string;
  limit?: number;
}

/** Streams the traces of a run that count, oldest segment first, each key once. Throws LedgerDamaged at a line that is damaged. */
export async function* readTraces(run_dir: string, filter: TraceFilter = {}): AsyncGenerator<Trace> {
  const seen = new Set<string>();
  let left = filter.limit ?? Number.POSITIVE_INFINITY;
  if (left <= 0) return;
  for (const segment of await acceptedSegments(run_dir)) {
    if (filter.stage !== undefined && segment.stage !== filter.stage) continue;
    for await (const lines of segmentLines(segment)) {
      for (const line of lines) {
        const trace = parseLine<Trace>(line, segment.path);
        if (seen.has(trace.key)) continue;
        seen.add(trace.key);
        if (!matches(trace, filter)) continue;
        yield trace;
        if (--left <= 0) return;
      }
    }
  }
}

function matches(trace: Trace, filter: TraceFilter): boolean {
  if (filter.role !== undefined && trace.role !== filter.role) return false;
  if (filter.mode !== undefined && trace.mode !== filter.mode) return false;
  if (filter.verdict !== undefined && trace.verdict !== filter.verdict) return false;
  if (filter.occasion !== undefined && !trace.occasion.startsWith(filter.occasion)) return false;
  if (filter.key !== undefined && !trace.key.startsWith(filter.key)) return false;
  if (filter.min_score !== undefined && (trace.score === null || trace.score < filter.min_score)) return false;
  if (filter.max_score !== undefined && (trace.score === null || trace.score > filter.max_score)) return false;
  const { text } = filter;
  const texts = [trace.prompt, trace.completion, trace.opponent ?? '', trace.reply];
  return text === undefined || texts.some((part) => part.includes(text));
}
