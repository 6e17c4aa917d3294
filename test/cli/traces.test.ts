import { expect, test, vi } from 'vitest';
import { CliError } from '../../src/cli/exit.ts';
import { printError } from '../../src/cli/print-error.ts';
import { pretty } from '../../src/cli/traces.ts';
import { graded, tracesOf } from '../gateway/start.ts';

const hostile = 'fine\u001b]0;owned\u0007\u001b[2J\u009b1;1H\rScore: 9';

test('shows a trace without what would move the cursor or set the title', async () => {
  const { gateway, run_dir } = await graded(() => ({ text: `${hostile} Score: 3` }));
  await gateway.grade({ completion: hostile, prompt: hostile, ground_truth: hostile });
  const [trace] = await tracesOf(run_dir);
  const shown = pretty(trace as NonNullable<typeof trace>);
  expect(trace?.completion).toBe(hostile);
  expect(shown).toContain('fineScore: 9');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point.
  expect(shown).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]|owned/);
});

test('prints an error without the escape sequences of what it quotes', () => {
  const print = vi.spyOn(console, 'error').mockImplementation(() => {});
  printError(new CliError(`Expected a run, got ${hostile}.`, { hint: hostile }));
  const printed = print.mock.calls.flat().join('\n');
  print.mockRestore();
  expect(printed).toContain('Expected a run, got fineScore: 9.');
  for (const part of ['\u001b]', '\u0007', '\u009b', '\r']) expect(printed).not.toContain(part);
});
