import { describe, expect, it } from 'vitest';
import { GradingScreen } from '../../../src/cli/audit/grading-screen.ts';
import { TimeLeft } from '../../../src/cli/audit/time-left.ts';
import type { Calls } from '../../../src/gateway/unanswered.ts';

const calls = (role: 'grader' | 'judge', more: Partial<Calls> = {}): Calls => ({
  ...{ role, mode: role === 'judge' ? 'reasoned' : 'single_token', requests: 1000, asked: 1000, answered: 0 },
  ...{ characters: 40_000, reply_tokens: 1000, ...more },
});

describe('the time that is left', () => {
  it('is not known before rows come in, nor while only one look was had', () => {
    const left = new TimeLeft([calls('grader')]);
    expect(left.seconds).toBeNull();
    left.update('grader', 'single_token', { step: 10, at: 0 });
    expect(left.seconds).toBeNull();
  });

  it('follows the rate of the last half minute, since rows of the ledger come first and at once', () => {
    const left = new TimeLeft([calls('grader')]);
    left.update('grader', 'single_token', { step: 0, at: 0 });
    left.update('grader', 'single_token', { step: 500, at: 1000 });
    for (let second = 2; second <= 40; second++)
      left.update('grader', 'single_token', { step: 500 + 5 * (second - 1), at: 1000 * second });
    expect(left.seconds).toBeCloseTo((1000 - 695) / 5, 5);
  });

  it('counts a pass to come by how much its calls read and write', () => {
    // A row of the judge: 40 characters (2 tokens of a reply) and 98 tokens; of the grader: 2 and 1.
    const left = new TimeLeft([calls('grader'), calls('judge', { reply_tokens: 98_000 })]);
    left.update('grader', 'single_token', { step: 0, at: 0 });
    left.update('grader', 'single_token', { step: 100, at: 1000 });
    expect(left.seconds).toBeCloseTo(900 / 100 + 1000 / (100 / (100 / 3)), 5);
    left.update('grader', 'single_token', { step: 1000, at: 2000 });
    left.update('judge', 'reasoned', { step: 0, at: 2000 });
    left.update('judge', 'reasoned', { step: 20, at: 4000 });
    expect(left.seconds).toBeCloseTo(98, 5);
  });

  it('leaves out a pass that the ledger answers', () => {
    const left = new TimeLeft([calls('grader'), calls('judge', { asked: 0, characters: 0, reply_tokens: 0 })]);
    left.update('grader', 'single_token', { step: 0, at: 0 });
    left.update('grader', 'single_token', { step: 100, at: 1000 });
    expect(left.seconds).toBeCloseTo(9, 5);
    expect(left).toMatchObject({ step: 100, total: 2000 });
  });
});

describe('the screen of an audit', () => {
  const line = (phase: string, step: number) =>
    JSON.stringify({ event: 'progress', phase, step, total: 1000, metrics: {} });

  function screen(isTTY: boolean) {
    const written: string[] = [];
    let now = 0;
    const out = { isTTY, columns: 100, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream;
    const shown = new GradingScreen(new TimeLeft([calls('grader'), calls('judge')]), out, () => now);
    return { shown, written, wait: (ms: number) => (now += ms) };
  }

  it('draws one bar over all passes on a terminal', () => {
    const { shown, written, wait } = screen(true);
    shown.onLine(line('grade: grader, single_token', 0));
    wait(1000);
    shown.onLine(line('grade: grader, single_token', 500));
    expect(written.at(-1)).toBe(
      '\r\u001b[2K██████░░░░░░░░░░░░░░░░░░  500/2,000  grader single_token  500/s  about 3 s left',
    );
    shown.onLine(line('compute', 0));
    expect(written.at(-1)).toBe('\r\u001b[2Kcompute');
  });

  it('writes a line every few seconds elsewhere, without escape sequences', () => {
    const { shown, written, wait } = screen(false);
    for (let step = 0; step < 120; step += 10) {
      shown.onLine(line('grade: grader, single_token', step));
      wait(1000);
    }
    expect(written).toHaveLength(3);
    expect(written.join('')).not.toContain('\u001b');
  });

  it('says which model it waits for, and nothing that a server wrote moves the cursor', () => {
    const { shown, written } = screen(true);
    shown.onWait({ for: 'judge', seconds: 12.3, reason: 'HTTP 503 \u001b[2J' });
    expect(written.at(-1)).toBe('\r\u001b[2KWaiting for the judge (12 s): HTTP 503 ');
    shown.onLine('Loading weights');
    expect(written).toHaveLength(1);
  });
});
