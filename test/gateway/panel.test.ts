import { expect, test } from 'vitest';
import { graded, tracesOf } from './start.ts';

const votes = (n: number, more: object = {}) => ({ sampling: { temperature: 1 }, panel: { votes: n, ...more } });

test('asks every vote of the panel, keeps each as a trace and answers one verdict', async () => {
  const { gateway, run_dir, judge } = await graded((_, n) => ({ text: `Score: ${[9, 6, 3][n - 1]}` }), votes(3));
  const grade = await gateway.grade({ occasion: 'audit:row1' });
  expect(judge.chats).toHaveLength(3);
  expect(grade).toMatchObject({ verdict: 'scored', value_rule: 'expectation', replayed: false });
  expect(grade.value).toBeCloseTo((8.889 + 5.889 + 2.889) / 3, 2);
  const traces = await tracesOf(run_dir);
  expect(traces.map(({ occasion }) => occasion).sort()).toEqual(['audit:row1:0', 'audit:row1:1', 'audit:row1:2']);
  expect(new Set(grade.trace_keys)).toEqual(new Set(traces.map(({ key }) => key)));
  expect(traces.map(({ verdict }) => verdict)).toEqual(['scored', 'scored', 'scored']);
});

test('asks only the votes that the ledger does not hold', async () => {
  const { gateway, judge } = await graded(undefined, votes(2));
  const first = await gateway.grade();
  expect(await gateway.grade()).toEqual({ ...first, replayed: true });
  expect(judge.chats).toHaveLength(2);
});

test('says low_confidence below the threshold of the panel, and keeps what each vote said', async () => {
  const { gateway, run_dir } = await graded(
    (_, n) => ({ text: `Score: ${[9, 1][n - 1]}` }),
    votes(2, { confidence_threshold: 0.6 }),
  );
  const grade = await gateway.grade();
  expect(grade).toMatchObject({ verdict: 'low_confidence', score: null, value: null, p_pass: null });
  expect(grade.confidence).toBeCloseTo(0.44, 2);
  expect((await tracesOf(run_dir)).map(({ score }) => score).sort()).toEqual([1, 9]);
});

test('has no score where half of the votes have none', async () => {
  const { gateway } = await graded((_, n) => ({ text: n === 1 ? 'Score: 9' : 'I would rather not.' }), votes(2));
  expect(await gateway.grade()).toMatchObject({ verdict: 'unparseable', score: null, value: null });
});
