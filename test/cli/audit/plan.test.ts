import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { planText } from '../../../src/cli/audit/plan.ts';
import { AuditPlan } from '../../../src/contracts/audit-plan.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { gavel } from '../gavel.ts';

vi.setConfig({ testTimeout: 180_000 });

const KAPPA = 'fidelity.grader.headline.quadratic_weighted_kappa';
const folder = temporaryFolder('plan');

const answer = AuditPlan.parse({
  gates: [
    { id: KAPPA, slice: 'all', at_least: 0.6, at_most: null, expected: 0.75, rows: 1200, prompts: 300, note: null },
    {
      ...{ id: 'truth.grader.*.accuracy', slice: 'kind=*', at_least: null, at_most: 0.9, expected: 0.95 },
      ...{ rows: null, prompts: null, note: 'Expected a value below 0.9.\u001b[2J' },
    },
  ],
  rows: null,
  prompts: null,
});

describe('the table of a plan', () => {
  it('says what each gate needs, and why one cannot be cleared', () => {
    expect(planText(answer, 0.8).split('\n')).toEqual([
      'gate                                               bound         expected  rows       prompts',
      `${KAPPA}  at least 0.6  0.75      1,200      300`,
      'truth.grader.*.accuracy (kind=*)                   at most 0.9   0.95      no number  no number',
      '',
      '  truth.grader.*.accuracy: Expected a value below 0.9.',
      '',
      'No number of rows is enough for every gate.',
    ]);
  });

  it('ends with what is enough for all', () => {
    const [gate] = answer.gates;
    const text = planText({ gates: [gate as AuditPlan['gates'][number]], rows: 1200, prompts: 300 }, 0.9);
    expect(text.split('\n').at(-1)).toBe('1,200 rows of 300 prompts give every gate at least 90% power.');
  });
});

describe('gavel audit plan', () => {
  const gates = join(folder, 'gates.yaml');
  writeFileSync(gates, `- {id: ${KAPPA}, at_least: 0.6}\n`);
  const plan = async (...args: string[]) => {
    const { code, stdout, stderr } = await gavel(['audit', 'plan', '--gates', gates, '--json', ...args]);
    return { code, stderr, plan: code === 0 ? AuditPlan.parse(JSON.parse(stdout)) : null };
  };

  it('counts more rows for a value that is nearer to its bound', async () => {
    const [far, near] = [await plan('--expect', `${KAPPA}=0.8`), await plan('--expect', `${KAPPA}=0.7`)];
    expect(far.code, far.stderr).toBe(0);
    expect(far.plan?.gates).toMatchObject([{ id: KAPPA, at_least: 0.6, expected: 0.8 }]);
    expect(near.plan?.rows).toBeGreaterThan(far.plan?.rows ?? Number.POSITIVE_INFINITY);
  });

  it('counts fewer prompts where each has several rows', async () => {
    const [one, four] = [
      await plan('--expect', `${KAPPA}=0.7`),
      await plan('--expect', `${KAPPA}=0.7`, '--rows-per-prompt', '4', '--correlation', '0.25'),
    ];
    expect(four.plan?.prompts).toBeLessThan(one.plan?.prompts ?? 0);
    expect(four.plan?.rows).toBeGreaterThan(one.plan?.rows ?? Number.POSITIVE_INFINITY);
  });

  it('says in one sentence which gate has no expected value, and ends with 2', async () => {
    const { code, stderr } = await plan();
    expect(code).toBe(2);
    expect(stderr).toContain(`--expect ${KAPPA}=VALUE`);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
