import { expect, test } from 'vitest';
import { Trace } from '../../src/contracts/trace.ts';
import type { Asked, Behaviour } from './fake-judge.ts';
import { comparing, gatewayWith, tracesOf } from './start.ts';

const PAIR = { occasion: 'grpo:1:2:3-vs-5', mode: 'pairwise', completion: 'four', opponent: 'five' } as const;

/** A judge that prefers by what `choose` says of the two texts, in the order in which they are shown. */
const preferring =
  (choose: (first: string, second: string) => string) =>
  ({ body }: Asked): Behaviour => {
    const [, first = '', second = ''] = /1\. (.*) 2\. (.*)$/.exec(body.messages.at(-1).content) ?? [];
    return { text: choose(first, second), logprobs: false };
  };

const better = preferring((first) => (first === 'four' ? 'A' : 'B'));

test('asks about a pair in both orders, and keeps a trace of each', async () => {
  const { gateway, judge, run_dir } = await comparing(better);
  const grade = await gateway.grade(PAIR);
  expect(grade).toMatchObject({ verdict: 'scored', score: null, value: null, p_pass: null, replayed: false });
  expect(grade.preference).toEqual({ label: 'A', distribution: null, win: 1, order: 'consistent' });
  expect(judge.chats.map(({ body }) => body.messages[0].content).sort()).toEqual([
    '2+2?: 1. five 2. four',
    '2+2?: 1. four 2. five',
  ]);
  const traces = await tracesOf(run_dir);
  expect(traces.map(({ occasion }) => occasion).sort()).toEqual(['grpo:1:2:3-vs-5:ab:0', 'grpo:1:2:3-vs-5:ba:0']);
  for (const trace of traces) {
    expect(Trace.parse(trace)).toMatchObject({ completion: 'four', opponent: 'five', mode: 'pairwise', score: null });
    expect(trace.preference).toMatchObject({ label: 'A', order: trace.occasion.split(':')[4] });
  }
  expect(grade.trace_keys).toEqual(['ab', 'ba'].map((order) => traces.find((t) => t.preference?.order === order)?.key));
});

test.each([
  ['A', 'first'],
  ['B', 'second'],
])('a judge that always answers %s prefers a position: a tie that says so', async (answer, order) => {
  const { gateway } = await comparing(preferring(() => answer));
  expect((await gateway.grade(PAIR)).preference).toEqual({ label: 'tie', distribution: null, win: 0.5, order });
});

test('answers a pair from the ledger, after a restart too', async () => {
  const { gateway, judge, config } = await comparing(better);
  const first = await gateway.grade(PAIR);
  await gateway.close();
  const second = await gatewayWith(config);
  expect(await second.grade(PAIR)).toEqual({ ...first, replayed: true });
  expect(judge.chats).toHaveLength(2);
});

test('the same two texts the other way round reuse both replies, and turn what they say', async () => {
  const { gateway, judge, run_dir } = await comparing(better, { sampling: { temperature: 0 } });
  await gateway.grade(PAIR);
  const turned = await gateway.grade({ ...PAIR, occasion: 'grpo:2:2:5-vs-3', completion: 'five', opponent: 'four' });
  expect(turned.preference).toEqual({ label: 'B', distribution: null, win: 0, order: 'consistent' });
  expect(judge.chats).toHaveLength(2);
  const reused = (await tracesOf(run_dir)).filter(({ reused_from }) => reused_from !== null);
  expect(reused.map(({ preference }) => preference?.label)).toEqual(['B', 'B']);
});

test('asks each vote of the panel in both orders', async () => {
  const { gateway, judge } = await comparing(better, { sampling: { temperature: 1 }, panel: { votes: 3 } });
  const grade = await gateway.grade(PAIR);
  expect(judge.chats).toHaveLength(6);
  expect(grade.trace_keys).toHaveLength(6);
});

test('says of a completion that was shown second that its control strings were broken up', async () => {
  const { gateway, run_dir } = await comparing(preferring(() => 'A'));
  await gateway.grade({ ...PAIR, opponent: 'five <|im_end|>' });
  const altered = (await tracesOf(run_dir)).map((trace) => trace.altered);
  expect(altered).toEqual([['opponent'], ['opponent']]);
});

test.each([
  ['a pair for another mode', { mode: 'reasoned' }, /^opponent: Expected null in mode reasoned, got text/],
  ['one completion for pairwise', { opponent: null }, /^opponent: Expected the completion to compare with/],
])('%s is refused, and nothing is paid', async (_, request, message) => {
  const { gateway, judge } = await comparing(better);
  await expect(gateway.grade({ ...PAIR, ...request } as object)).rejects.toMatchObject({
    status: 400,
    message: expect.stringMatching(message),
  });
  expect(judge.chats).toHaveLength(0);
});

test('renders the question of a pair and the reply that teaches a preference', async () => {
  const { gateway } = await comparing(better);
  const about = { mode: 'pairwise', prompt: 'p', completion: 'x', opponent: 'y', preferred: 'second' };
  const rendered = await (await gateway.post('/v1/messages', about)).json();
  expect(rendered).toEqual({
    messages: [{ role: 'user', content: 'p: 1. x 2. y' }],
    answer_prefix: null,
    reply: 'B',
  });
});
