import { expect, test } from 'vitest';
import type { Asked, Behaviour } from './fake-judge.ts';
import { gatewayWith, graded, tracesOf } from './start.ts';

const unknown = { error: { message: 'Unexpected message has type 7', type: 'BadRequestError', code: 400 } };

/** Rejects whatever holds the word poison, as told, and grades the rest. */
const poisonedBy =
  (behaviour: Behaviour) =>
  ({ body }: { body: unknown }): Behaviour =>
    JSON.stringify(body).includes('poison') ? behaviour : { text: 'Score: 8' };

const KINDS: [string, Behaviour][] = [
  ['a 400 of an unknown form', { status: 400, body: unknown }],
  ['a 422', { status: 422 }],
  ['a 403 of a firewall', { status: 403 }],
  ['a 500', { status: 500 }],
  ['a web page', { raw: '<html>Blocked</html>' }],
  ['JSON that is no completion', { raw: '{"hello": 1}' }],
  ['half a reply', { garbled: '{"choices": [{"mess' }],
];

test.each(KINDS)(
  'gives a lone completion that always brings %s the verdict failed, with the reason',
  async (_, kind) => {
    const { gateway, run_dir, judge } = await graded(poisonedBy(kind));
    expect(await gateway.grade({ completion: 'poison' })).toMatchObject({ verdict: 'failed', score: null });
    const [trace] = await tracesOf(run_dir);
    expect(trace).toMatchObject({ verdict: 'failed', reply: '', completion: 'poison' });
    expect(trace?.reasoning).toMatch(/failed this request 4 times while it answered others: ./);
    expect(gateway.events).not.toContainEqual(expect.objectContaining({ event: 'waiting' }));
    // Probes are paid for, and make no verdict.
    expect(judge.chats.filter(({ body }) => !JSON.stringify(body).includes('poison')).length).toBeGreaterThan(0);
    expect(await tracesOf(run_dir)).toHaveLength(1);
  },
);

test('calls a judge misconfigured that rejects what the rubric sends with every completion, its roles say', async () => {
  const { gateway } = await graded(({ body }) =>
    JSON.stringify(body).includes('Reason about') ? { status: 400, body: unknown } : { text: 'Score: 8' },
  );
  const error = await gateway.grade().catch((thrown) => thrown);
  expect(error).toMatchObject({ status: 502, code: 'judge_misconfigured' });
});

test('needs no probe while other calls are answered', async () => {
  let others = Promise.withResolvers<void>();
  // Each failure comes after another call was answered, however slow the machine is.
  const { gateway, judge } = await graded((asked) => poisonedBy({ status: 500, after: others.promise })(asked));
  const poisoned = gateway.grade({ completion: 'poison' });
  let over = false;
  void poisoned.finally(() => {
    over = true;
  });
  for (let n = 0; !over; n++) {
    const answered = others;
    others = Promise.withResolvers<void>();
    await gateway.grade({ occasion: `grpo:1:0:${n}`, completion: `good ${n}` });
    answered.resolve();
  }
  expect(await poisoned).toMatchObject({ verdict: 'failed' });
  expect(judge.chats.filter(({ body }) => JSON.stringify(body).includes('poison'))).toHaveLength(4);
  expect(judge.chats.filter(({ body }) => JSON.stringify(body).includes('1+1='))).toHaveLength(0);
});

test('holds a request that always times out against the request, as long as others are answered', async () => {
  const { gateway } = await graded(poisonedBy({ hang: true }), { timeout_s: 0.2 });
  expect(await gateway.grade({ completion: 'poison' })).toMatchObject({ verdict: 'failed', score: null });
});

test('lets a request that is always told "later" fail once its time is up, and not the judge', async () => {
  const { gateway } = await graded(poisonedBy({ status: 429 }), { outage_limit_s: 1 });
  const began = performance.now();
  expect(await gateway.grade({ completion: 'poison' })).toMatchObject({ verdict: 'failed' });
  expect(performance.now() - began).toBeGreaterThan(1000);
});

test('grades in the end what failed while the judge was away for everybody', async () => {
  const well = performance.now() + 1500;
  const { gateway } = await graded(() => (performance.now() < well ? { status: 500 } : { text: 'Score: 6' }));
  const grades = await Promise.all(
    [1, 2, 3, 4].map((n) => gateway.grade({ completion: `${n}`, occasion: `grpo:1:0:${n}` })),
  );
  expect(grades.map(({ score }) => score)).toEqual([6, 6, 6, 6]);
});

test('quotes nothing of a request where the judge is away or misconfigured for all: what ends a stage goes into history', async () => {
  const echo = (status: number) => (asked: Asked) => ({
    status,
    body: { error: { message: JSON.stringify(asked.body) } },
  });
  for (const [status, code] of [
    [500, 'judge_away'],
    [400, 'judge_misconfigured'],
  ] as const) {
    const { gateway } = await graded(echo(status), { outage_limit_s: 0.5 });
    const error = await gateway.grade({ completion: 'my long story' }).catch((thrown) => thrown);
    expect(error.code).toBe(code);
    expect(error.message).toContain(`HTTP ${status}`);
    expect(error.message).not.toContain('my long story');
  }
});

test('replays a failed verdict, and asks again where the same text is graded on another occasion', async () => {
  const { gateway, judge, config } = await graded(poisonedBy({ status: 500 }));
  const first = await gateway.grade({ completion: 'poison' });
  await gateway.close();
  const second = await gatewayWith(config);
  expect(await second.grade({ completion: 'poison' })).toEqual({ ...first, replayed: true });
  judge.behave = () => ({ text: 'Score: 3' });
  expect(await second.grade({ completion: 'poison', occasion: 'grpo:9:0:0' })).toMatchObject({ score: 3 });
});
