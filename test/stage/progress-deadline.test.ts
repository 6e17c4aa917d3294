import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressDeadline } from '../../src/stage/progress-deadline.ts';

describe('ProgressDeadline', () => {
  let waiting = false;
  let overdue: string[] = [];
  let deadline: ProgressDeadline;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    waiting = false;
    overdue = [];
    const onOverdue = (message: string) => overdue.push(message);
    deadline = new ProgressDeadline({ floor_s: 5, load_s: 60, isWaiting: () => waiting, onOverdue });
  });
  afterEach(() => {
    deadline.stop();
    vi.useRealTimers();
  });

  /** Steps that take `seconds` each. */
  function steps(from: number, to: number, seconds: number) {
    for (let step = from; step <= to; step += 1) {
      vi.advanceTimersByTime(seconds * 1000);
      deadline.heard('train', step);
    }
  }

  it('leaves a trainer its time to load, and no more', () => {
    vi.advanceTimersByTime(59_000);
    expect(overdue).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(overdue).toHaveLength(1);
    expect(overdue[0]).toContain('phase load');
  });

  it('learns from the steps how long silence may be', () => {
    steps(1, 4, 2);
    expect(deadline.allowed_s).toBeCloseTo(20, 0);
    vi.advanceTimersByTime(19_000);
    expect(overdue).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(overdue[0]).toMatch(/no progress for 2\d s in phase train at step 4/);
  });

  it('never goes below its floor, however fast the steps are', () => {
    steps(1, 30, 0.01);
    expect(deadline.allowed_s).toBe(5);
  });

  it('stands still while the trainer waits and says so', () => {
    steps(1, 4, 0.1);
    waiting = true;
    vi.advanceTimersByTime(3_600_000);
    expect(overdue).toEqual([]);
    waiting = false;
    vi.advanceTimersByTime(4500);
    expect(overdue).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(overdue).toHaveLength(1);
  });

  it('speaks once', () => {
    vi.advanceTimersByTime(300_000);
    expect(overdue).toHaveLength(1);
  });

  it('takes a sign of life that is no step for no measure of one', () => {
    steps(1, 3, 0.1);
    vi.advanceTimersByTime(4000);
    deadline.heard('train', 3);
    expect(deadline.allowed_s).toBe(5);
  });
});
