import OpenAI, {
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { expect, test } from 'vitest';
import { Trace } from '../../src/contracts/trace.ts';
import { collect, configFor, fakeJudge, gatewayWith, graded, KEY, runDirectory, tracesOf } from './start.ts';

const clientOf = (gateway: { url: string }, apiKey = KEY) =>
  new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });

const messages = [{ role: 'user' as const, content: 'Hello?' }];

test('chats through the openai client, by the name of the role and of the model', async () => {
  const { gateway, judge } = await graded(() => ({ text: 'Hello! Score: 4' }));
  const client = clientOf(gateway);
  for (const model of ['judge', 'tiny']) {
    const reply = await client.chat.completions.create({ model, messages, temperature: 0.3, user: 'me' });
    expect(reply.choices[0]?.message.content).toBe('Hello! Score: 4');
  }
  expect(judge.chats[0]?.body).toMatchObject({ model: 'tiny', temperature: 0.3, user: 'me' });
});

test('streams to the openai client as the words come', async () => {
  const { gateway } = await graded(() => ({ text: 'one two three four' }));
  const times: number[] = [];
  let text = '';
  const stream = await clientOf(gateway).chat.completions.create({ model: 'judge', messages, stream: true });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    times.push(performance.now());
  }
  expect(text).toBe('one two three four');
  expect((times.at(-1) as number) - (times[0] as number)).toBeGreaterThan(5);
});

test('stops the model when the client leaves in the middle of a stream', async () => {
  const { gateway, judge } = await graded(() => ({ text: 'word '.repeat(2000) }));
  const stream = await clientOf(gateway).chat.completions.create({ model: 'judge', messages, stream: true });
  for await (const _ of stream) break;
  await expect.poll(() => judge.abandoned, { timeout: 15_000 }).toBe(1);
  await expect.poll(() => gateway.stats().judge?.in_flight).toBe(0);
});

test('lists its models and describes one', async () => {
  const { gateway } = await graded();
  const client = clientOf(gateway);
  expect((await collect(client.models.list())).map(({ id }) => id)).toEqual(['judge', 'tiny']);
  expect((await client.models.retrieve('judge')).id).toBe('judge');
});

test('raises the classes of the openai client', async () => {
  const { gateway, judge } = await graded();
  const client = clientOf(gateway);
  const chat = (body: object = {}) =>
    client.chat.completions.create({ model: 'judge', messages, ...body }).catch((error) => error);
  expect(
    await clientOf(gateway, 'wrong')
      .models.list()
      .catch((error) => error),
  ).toBeInstanceOf(AuthenticationError);
  expect(await chat({ model: 'gpt-9' })).toBeInstanceOf(NotFoundError);
  expect(await chat({ messages: 'hi' })).toBeInstanceOf(BadRequestError);
  judge.behave = () => ({
    status: 400,
    body: { error: { message: 'temperature must be positive', code: 'bad_value' } },
  });
  expect(await chat()).toMatchObject({ constructor: BadRequestError, code: 'bad_value' });
  judge.behave = () => ({ status: 429, headers: { 'retry-after': '7' } });
  const limited = await chat();
  expect(limited).toBeInstanceOf(RateLimitError);
  expect(limited.headers.get('retry-after')).toBe('7');
  judge.behave = () => ({ status: 500 });
  expect(await chat()).toMatchObject({ constructor: InternalServerError, status: 503, code: 'model_away' });
  judge.lists = true;
  expect(await chat({ response_format: { type: 'json_object' } })).toMatchObject({ status: 500, code: 'model_failed' });
  judge.behave = () => ({ raw: '<html>Bad gateway</html>' });
  expect(await chat()).toMatchObject({ status: 502, code: 'model_failed', message: expect.stringContaining('<html>') });
  judge.behave = () => ({ status: 401, body: { error: { message: 'Incorrect API key provided: sk-abcdef123456' } } });
  const misconfigured = await chat();
  expect(misconfigured).toMatchObject({ status: 502, code: 'judge_misconfigured' });
  expect(misconfigured.message).not.toContain('sk-abcdef');
  await judge.stop();
  expect(await chat()).toMatchObject({ status: 503, code: 'model_away' });
});

test.each([false, true])('records a chat before its answer has ended, if told to (stream: %s)', async (stream) => {
  const judge = await fakeJudge(() => ({ text: 'Good work. Score: 8' }));
  const run_dir = runDirectory();
  process.env.CHAT_JUDGE_KEY = 'sk-of-the-judge';
  const role = { api_key_env: 'CHAT_JUDGE_KEY', api_key_hosts: [new URL(judge.url).host] };
  const gateway = await gatewayWith(
    configFor(run_dir, { base_url: judge.url, model: 'tiny', ...role }, { record_chat: true, rubric: null }),
  );
  const answer = await clientOf(gateway).chat.completions.create({ model: 'judge', messages, stream });
  if (Symbol.asyncIterator in answer) for await (const _ of answer);
  const [trace] = await tracesOf(run_dir);
  expect(trace).toMatchObject({
    reply: 'Good work. Score: 8',
    verdict: 'scored',
    score: 8,
    prompt: 'Hello?',
    rubric_digest: null,
  });
  expect(trace?.occasion).toMatch(/^call:/);
  // Strict, so that nothing stands in a trace that does not belong there; the model server's key above all.
  expect(Trace.parse(trace)).toEqual(trace);
  expect(judge.chats[0]?.authorization).toBe('Bearer sk-of-the-judge');
});
