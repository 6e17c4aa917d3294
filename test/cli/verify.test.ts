import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAlarming, verifyText } from '../../src/cli/verify.ts';
import type { VerifyReport } from '../../src/contracts/verify.ts';
import { gavel, makeRoot } from './gavel.ts';

const { root, remove } = makeRoot();
afterAll(remove);

const answer: VerifyReport['answers'][number] = {
  ...{ row: 'mine-000001', kind: 'truth', truth: 'Paris', completion: 'Paris', read: 'paris', value: 1 },
};
const report: VerifyReport = {
  ...{ verifier: 'contains', checked: 3, without_truth: 0, refused_truths: [], refused: 0, others: 3, others_taken: 0 },
  answers: [answer, { ...answer, kind: 'phrasing', completion: `${'so '.repeat(40)}it is \u001b[2JParis`, value: 0.5 }],
};

describe('the text of a dry run', () => {
  it('lists row, answer, what was read and the verdict, the end of a long answer, and no control characters', () => {
    const [head, first, second] = verifyText(report).split('\n');
    expect(head).toMatch(/row +answer +is +read as +verdict/);
    expect(first).toMatch(/^mine-000001 +Paris +the truth +paris +right$/);
    expect(second).toMatch(/…so .*it is .*Paris +a way to say it +paris +0\.5 of 1$/);
    expect(second).not.toContain('\u001b[2J');
    expect(isAlarming(report)).toBe(false);
  });

  it('warns of truths that are judged wrong, and of a verifier that takes everything', () => {
    const refusing = { ...report, refused: 2, refused_truths: ['a', 'b'] };
    expect(verifyText(refusing)).toContain('judges the ground truth itself wrong in 2 of 3 rows (a, b)');
    expect(isAlarming(refusing)).toBe(true);
    const taking = { ...report, others_taken: 3 };
    expect(verifyText(taking)).toContain('It tells right from wrong nowhere');
    expect(isAlarming(taking)).toBe(true);
    const some = { ...report, others_taken: 1 };
    expect(verifyText(some)).toContain('in 1 of 3 rows');
    expect(isAlarming(some)).toBe(false);
  });

  it('says that nothing is checked where there is no verifier', () => {
    expect(verifyText({ ...report, verifier: null, without_truth: 4 })).toMatch(/^No verifier: .* 4 of the rows/);
  });
});

describe.concurrent('gavel verify', () => {
  const spec = (name: string, params: object) => {
    const folder = join(root, name);
    mkdirSync(folder);
    const rows = ['Paris', 'Rome', 'Oslo'].map((city, n) => JSON.stringify({ prompt: `p${n}`, ground_truth: city }));
    writeFileSync(join(folder, 'mine.jsonl'), rows.join('\n'));
    const sizes = { train_prompts: 1, eval_prompts: 1, audit_prompts: 1 };
    const task = { name: 'jsonl', path: join(folder, 'mine.jsonl'), params, ...sizes };
    const judge = { model: 'm', rubric: 'r.yaml' };
    const grpo = { prompts_per_step: 1, num_generations: 2 };
    writeFileSync(
      join(folder, 'spec.json'),
      JSON.stringify({ run: 'dry', task, policy: { model: 'm' }, judge, base: { model: 'm' }, grpo }),
    );
    return join(folder, 'spec.json');
  };

  it('checks the truths and the answers of a file, and writes the report as JSON', async () => {
    const answers = join(root, 'answers.jsonl');
    writeFileSync(answers, JSON.stringify({ prompt: 'p1', completion: 'It is Rome, of course.' }));
    const path = spec('contains', { verifier: 'contains' });
    const { code, stdout } = await gavel(['verify', path, '--answers', answers, '--json'], { GAVEL_ROOT: root });
    expect(code).toBe(0);
    const { checked, answers: listed } = JSON.parse(stdout) as VerifyReport;
    expect(checked).toBe(3);
    expect(listed.at(-1)).toMatchObject({ kind: 'given', truth: 'Rome', read: 'rome', value: 1 });
  });

  it('ends with 1 where a truth is judged wrong, and with 2 where params are of no use', async () => {
    const refusing = await gavel(['verify', spec('refusing', { verifier: 'regex', pattern: '[A-Z]aris' })], {
      GAVEL_ROOT: root,
    });
    expect(refusing.code).toBe(1);
    expect(refusing.stdout).toContain('judges the ground truth itself wrong in 2 of 3 rows');
    const wrong = await gavel(['verify', spec('wrong', { verifier: 'regex', pattern: '(' })], { GAVEL_ROOT: root });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/task\.params: Expected param 'pattern'/);
  });
});
