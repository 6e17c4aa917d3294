import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Trace } from '../../src/contracts/trace.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { configFor, fakeJudge, gatewayWith, graded, KEY, QUESTION, RUBRIC, runDirectory, tracesOf } from './start.ts';

const onDisk = (run_dir: string): string[] => {
  const name = readdirSync(join(run_dir, 'traces')).find((file) => file.endsWith('.jsonl')) as string;
  return readFileSync(join(run_dir, 'traces', name), 'utf8')
    .trimEnd()
    .split('\n');
};

test('gives a score, its value and the rule that made it, p_pass, confidence and the mass outside the digits', async () => {
  const { gateway, judge } = await graded();
  const grade = await gateway.grade();
  expect(grade).toMatchObject({ verdict: 'scored', score: 7, value_rule: 'expectation', reasoning: 'Fine.' });
  expect(grade).toMatchObject({ replayed: false, trace_keys: [expect.stringMatching(/^[0-9a-f]{64}$/)] });
  expect(grade.value).toBeCloseTo((0.8 * 7 + 0.1 * 6) / 0.9, 3);
  expect(grade.p_pass).toBeCloseTo(1, 3);
  expect(grade.confidence).toBeCloseTo(0.8 / 0.9, 3);
  expect(grade.off_scale_mass).toBeCloseTo(0.1, 3);
  expect(judge.chats[0]?.body).toMatchObject({ model: 'tiny', logprobs: true, top_logprobs: 20, max_tokens: 512 });
});

test.each([
  [0, 'off_scale', null],
  [0.05, 'off_scale', null],
  [0.15, 'scored', 7],
])('holds a verdict to the max_off_scale_mass of its rubric: %f', async (limit, verdict, score) => {
  const judge = await fakeJudge(() => ({ text: '7' }));
  const run_dir = runDirectory(`max_off_scale_mass: ${limit}\n${RUBRIC}`);
  const gateway = await gatewayWith(configFor(run_dir, { base_url: judge.url, model: 'tiny' }));
  const grade = await gateway.grade({ mode: 'single_token' });
  expect(grade).toMatchObject({ verdict, score });
  expect(grade.off_scale_mass).toBeCloseTo(0.1, 3);
  expect((await tracesOf(run_dir))[0]).toMatchObject({ verdict, score });
});

test('has the trace on disk, whole and valid, before its verdict is out', async () => {
  const { gateway, run_dir } = await graded();
  const grade = await gateway.grade();
  const [line] = onDisk(run_dir);
  const trace = Trace.parse(parseLine({ bytes: Buffer.from(line as string), offset: 0, number: 1 }, run_dir));
  expect(trace).toMatchObject({
    ...QUESTION,
    occasion: `${QUESTION.occasion}:0`,
    key: grade.trace_keys[0],
    run: 'test',
    stage: 'serve',
    role: 'judge',
    mode: 'reasoned',
  });
  expect(trace).toMatchObject({
    reply: 'Fine. Score: 7',
    model_digest: 'd1',
    usage: { prompt_tokens: 10 },
    reused_from: null,
  });
});

test('does not send the ground truth to a judge whose rubric is not reference-guided', async () => {
  const { gateway, judge } = await graded();
  await gateway.grade();
  expect(JSON.stringify(judge.asked)).not.toContain('secret truth');
});

test('answers a call that it has answered before from the ledger, after a restart too', async () => {
  const { gateway, judge, config, run_dir } = await graded();
  const first = await gateway.grade();
  expect(await gateway.grade()).toEqual({ ...first, replayed: true });
  await gateway.close();
  const second = await gatewayWith(config);
  expect(await second.grade()).toEqual({ ...first, replayed: true });
  expect(judge.chats).toHaveLength(1);
  expect(await tracesOf(run_dir)).toHaveLength(1);
});

test('asks once and records once when 200 clients send the same call at once', async () => {
  const { gateway, judge, run_dir } = await graded(() => ({ text: 'Score: 3', delay_ms: 50 }));
  const grades = await Promise.all(Array.from({ length: 200 }, () => gateway.grade()));
  expect(new Set(grades.map(({ trace_keys, score }) => `${trace_keys} ${score}`)).size).toBe(1);
  expect(grades.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(judge.chats).toHaveLength(1);
  expect(await tracesOf(run_dir)).toHaveLength(1);
});

test('records every key once under many different and repeated calls', async () => {
  const { gateway, judge, run_dir } = await graded(undefined, { sampling: { temperature: 1 } });
  const calls = Array.from({ length: 300 }, (_, n) => gateway.grade({ occasion: `grpo:1:0:${n % 100}` }));
  await Promise.all(calls);
  const keys = (await tracesOf(run_dir)).map(({ key }) => key);
  expect(keys).toHaveLength(100);
  expect(new Set(keys).size).toBe(100);
  expect(judge.chats).toHaveLength(100);
});

test('reuses the reply to identical text at temperature 0 under a key of its own', async () => {
  const { gateway, judge, run_dir, config } = await graded();
  const first = await gateway.grade();
  const second = await gateway.grade({ occasion: 'grpo:1:2:4' });
  expect(second).toMatchObject({ score: 7, replayed: true });
  expect(second.trace_keys).not.toEqual(first.trace_keys);
  await gateway.close();
  const later = await (await gatewayWith(config)).grade({ occasion: 'audit:row1' });
  expect(later).toMatchObject({ score: 7, replayed: true });
  expect(judge.chats).toHaveLength(1);
  const traces = await tracesOf(run_dir);
  expect(traces.map(({ reused_from }) => reused_from)).toEqual(
    expect.arrayContaining([null, ...first.trace_keys, ...first.trace_keys]),
  );
  expect(traces.find(({ key }) => key === second.trace_keys[0])?.usage).toBeNull();
});

test('asks again about identical text for a retest, at a temperature above 0, and under other sampling parameters', async () => {
  const { gateway, judge, config } = await graded();
  await gateway.grade();
  await gateway.grade({ occasion: 'retest:row1:1' });
  expect(judge.chats).toHaveLength(2);
  await gateway.close();
  const { judge: role } = config.roles;
  const longer = await gatewayWith({ ...config, roles: { judge: { ...role, sampling: { max_tokens: 99 } } } });
  expect((await longer.grade()).replayed).toBe(false);
  const warm = await gatewayWith({ ...config, roles: { judge: { ...role, sampling: { temperature: 0.7 } } } });
  await warm.grade();
  await warm.grade({ occasion: 'grpo:1:2:4' });
  expect(judge.chats).toHaveLength(5);
});

test('does without log-probabilities where the server refuses them', async () => {
  const { gateway } = await graded(({ body }) =>
    body.logprobs ? { status: 400, body: { error: { message: 'logprobs are not supported' } } } : { text: 'Score: 2' },
  );
  expect(await gateway.grade()).toMatchObject({ verdict: 'scored', score: 2, value: 2, value_rule: 'score' });
});

test('calls nonsense unparseable and never 0', async () => {
  const { gateway } = await graded(() => ({ text: 'the moon is made of cheese' }));
  expect(await gateway.grade()).toMatchObject({ verdict: 'unparseable', score: null, value: null });
});

test('records a completion that is too long for the judge as failed, with the reason', async () => {
  const message = "This model's maximum context length is 4096 tokens. However, your request has 9000 input tokens.";
  const { gateway } = await graded(() => ({ status: 400, body: { error: { message } } }));
  const grade = await gateway.grade();
  expect(grade).toMatchObject({ verdict: 'failed', score: null });
  expect(grade.reasoning).toContain('maximum context length is 4096');
});

test.each([
  ['the judge refuses its key', 401, 'Incorrect API key provided: sk-abcdef1234567890'],
  ['the judge does not know the model', 404, 'The model `tiny` does not exist.'],
  ['max_tokens alone fills the context', 400, "This model's maximum context length is 512 tokens."],
  ['the judge does not understand a parameter', 400, 'top_p: extra fields not permitted'],
])('fails at once, with 502 judge_misconfigured, when %s', async (_, status, message) => {
  const { gateway, judge } = await graded(() => ({ status, body: { error: { message } } }));
  const error = await gateway.grade().catch((thrown) => thrown);
  expect(error).toMatchObject({ status: 502, code: 'judge_misconfigured' });
  expect(error.message).toContain(`HTTP ${status}`);
  expect(error.message).not.toContain('sk-abcdef');
  // The call, and a harmless one that shows that it is not the call's fault.
  expect(judge.chats).toHaveLength(2);
});

test.each([
  [{ occasion: 'lunch' }, 'occasion'],
  [{ score: 3 }, 'body'],
  [{ role: 'grader' }, 'role'],
])('answers 400 and names the field for %j', async (change, field) => {
  const { gateway } = await graded();
  const response = await gateway.post('/v1/grade', { ...QUESTION, ...change });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining(field) } });
});

test('answers 401 without its key, with a wrong one, and 200 on /healthz without any', async () => {
  const { gateway } = await graded();
  expect((await gateway.post('/v1/grade', QUESTION, null)).status).toBe(401);
  expect((await gateway.post('/v1/grade', QUESTION, `${KEY}x`)).status).toBe(401);
  expect((await fetch(`${gateway.url}/v1/stats`)).status).toBe(401);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
});

test('refuses a body that is too large', async () => {
  const { gateway } = await graded();
  const response = await gateway.post('/v1/grade', { ...QUESTION, completion: 'x'.repeat(9 << 20) });
  expect(response.status).toBe(413);
});

test('counts calls, replays and tokens per role', async () => {
  const { gateway } = await graded();
  await gateway.grade();
  await gateway.grade();
  expect(gateway.stats().judge).toMatchObject({ calls: 2, asked: 1, replayed: 1, in_flight: 0, prompt_tokens: 10 });
});

test('asks a judge and a grader apart that are served under one name', async () => {
  const { gateway, judge, run_dir, config } = await graded(undefined, { model_digest: null });
  await gateway.close();
  const grader = await fakeJudge(() => ({ text: 'Score: 2' }));
  const role = { base_url: grader.url, model: 'tiny' };
  const both = await gatewayWith({ ...config, roles: { ...config.roles, grader: role } });
  expect(await both.grade({ occasion: 'audit:row1' })).toMatchObject({ score: 7 });
  const second = await both.grade({ role: 'grader', occasion: 'audit:row1' });
  expect(second).toMatchObject({ score: 2, replayed: false });
  expect([judge.chats.length, grader.chats.length]).toEqual([1, 1]);
  expect((await tracesOf(run_dir)).map(({ role, endpoint }) => [role, endpoint])).toEqual([
    ['judge', judge.url],
    ['grader', grader.url],
  ]);
});

test('asks anew where another server answers under the same name, and no digest says that it is the same model', async () => {
  const { gateway, config, run_dir } = await graded(undefined, { model_digest: null });
  await gateway.grade({ occasion: 'audit:row1' });
  await gateway.close();
  const other = await fakeJudge(() => ({ text: 'Score: 1' }));
  const moved = configFor(run_dir, { ...config.roles.judge, base_url: other.url });
  expect(await (await gatewayWith(moved)).grade({ occasion: 'audit:row1' })).toMatchObject({ score: 1 });
  const same = { ...config.roles.judge, base_url: other.url, model_digest: 'd1' };
  const known = await gatewayWith(configFor(run_dir, { ...same }));
  await known.grade({ occasion: 'audit:row1' });
  await known.close();
  const elsewhere = await gatewayWith(configFor(run_dir, { ...same, base_url: 'http://127.0.0.1:1/v1' }));
  expect(await elsewhere.grade({ occasion: 'audit:row1' })).toMatchObject({ score: 1, replayed: true });
});
