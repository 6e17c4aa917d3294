import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './upstream-errors.ts';

/** First and longest pause between attempts. A restarted model is noticed within 2 s, and 64 callers make 60 refused connections a second at most. */
const BACKOFF_MS = { first: 100, longest: 2_000 };

/** Milliseconds to wait after attempt number `attempt` (from 0) ended with `fault`: what the server asks for, else a backoff that doubles. */
export function pauseMs(attempt: number, fault: Fault): number {
  if (fault.kind === 'away' && fault.retry_after_s !== null) {
    return fault.retry_after_s * 1000 + Math.random() * BACKOFF_MS.first;
  }
  const ceiling = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** attempt);
  // Jitter keeps callers that failed together from coming back together.
  return ceiling * (0.5 + Math.random() / 2);
}

/** Waits that long, and no longer than `left_ms`. Throws the reason of `signal` once that aborts. */
export async function pauseBetweenTries(
  attempt: number,
  fault: Fault,
  { left_ms, signal }: { left_ms: number; signal: AbortSignal },
): Promise<void> {
  try {
    await sleep(Math.min(pauseMs(attempt, fault), Math.max(1, left_ms)), undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
