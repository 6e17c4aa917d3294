import { expect, test } from 'vitest';
import { pauseBetweenTries, pauseMs } from '../../src/gateway/pause-between-tries.ts';
import type { Fault } from '../../src/gateway/upstream-errors.ts';

const away = (retry_after_s: number | null): Fault => ({
  ...{ kind: 'away', message: 'HTTP 503: busy', brief: 'HTTP 503', suspect: false },
  retry_after_s,
});

const many = (attempt: number, fault: Fault) => Array.from({ length: 200 }, () => pauseMs(attempt, fault));

test.each([
  [0, 100],
  [1, 200],
  [4, 1_600],
  [5, 2_000],
  [500, 2_000],
])('attempt %i is followed by a pause of half to all of %i ms, and callers differ', (attempt, ceiling) => {
  const pauses = many(attempt, away(null));
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(ceiling / 2);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(ceiling);
  expect(new Set(pauses).size).toBeGreaterThan(100);
});

test('a server that says when to come back is not asked before, and all callers are back within 0.1 s', () => {
  const pauses = many(9, away(7));
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(7_000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(7_100);
});

test('a pause is no longer than the time that is left', async () => {
  const started = performance.now();
  await pauseBetweenTries(9, away(60), { left_ms: 20, signal: new AbortController().signal });
  expect(performance.now() - started).toBeLessThan(2_000);
});

test('a gateway that closes ends the pause with its reason', async () => {
  const closing = new AbortController();
  const pause = pauseBetweenTries(9, away(60), { left_ms: 60_000, signal: closing.signal });
  closing.abort(new Error('the gateway is shutting down'));
  await expect(pause).rejects.toThrow('the gateway is shutting down');
});
