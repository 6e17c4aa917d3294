import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../temporary-folder.ts';
import { gavel } from '../gavel.ts';

describe.concurrent('gavel rubric check', () => {
  it('prints messages, answers and verdicts, and exits with 0', async () => {
    const { code, stdout, stderr } = await gavel([
      'rubric',
      'check',
      'examples/rubrics/helpfulness.yaml',
      '--mode',
      'choice',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('asked about  a stand-in; --row names a row');
    expect(stdout).toMatch(/answers +excellent \(9\), good \(6\) pass; fair \(4\), bad \(0\) fail/);
    expect(stdout).toMatch(/taught +0-2 bad, 3-4 fair, 5-7 good, 8-9 excellent/);
    expect(stdout).toMatch(/read back +4 of 4 own replies/);
    expect(stdout).not.toContain('\u001b');
  });

  it('names file, line and field of a rubric that cannot be used, and exits with 2', async () => {
    const path = join(temporaryFolder('rubric'), 'bad.yaml');
    writeFileSync(path, 'name: bad\nscores: {0: a, 9: b}\nmodes:\n  reasoned: {messages: []}\n');
    const { code, stderr } = await gavel(['rubric', 'check', path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*bad\.yaml:\d+: modes\.reasoned\.messages: /);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

it('counts the tokens that a model reads, and exits with 1 where it cannot spell the frame', async () => {
  const rubric = 'examples/rubrics/short-answer.yaml';
  const { code, stdout } = await gavel(['rubric', 'check', rubric, '--tokenizer', 'models/poly-easy-judge', '--json']);
  expect(code).toBe(1);
  const { problems, modes } = JSON.parse(stdout);
  expect(problems).toEqual([expect.stringMatching(/^frame: Expected a tokenizer with tokens for a digest's digits/)]);
  for (const { tokens, messages } of modes) {
    expect(tokens.contents).toHaveLength(messages.length);
    expect(tokens.total).toBeGreaterThan(tokens.contents.reduce((sum: number, one: number) => sum + one, 0));
  }
  // To these models all words are one unknown token; they have the digits.
  expect(modes.map(({ tokens }: { tokens: { constrained: boolean | null } }) => tokens.constrained)).toEqual([
    null,
    true,
    false,
  ]);
});
