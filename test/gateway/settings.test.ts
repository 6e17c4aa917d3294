import { expect, test } from 'vitest';
import { configFor, fakeJudge, gatewayWith, graded, runDirectory, tracesOf } from './start.ts';

const digits = [...'0123456789'].map((digit) => 100 + Number(digit));

/** A judge that gavel serves itself, so that every setting of vLLM can be sent. */
async function served(text: string, more: Parameters<typeof graded>[1] = {}) {
  const found = await graded(() => ({ text }), { engine: 'vllm', ...more });
  found.judge.vllm = true;
  return found;
}

test('sends vLLM every sampling setting, so that nothing is left to the model to fill in', async () => {
  const { gateway, judge } = await served('Score: 7', { chat_template_kwargs: { enable_thinking: false } });
  await gateway.grade();
  expect(judge.chats[0]?.body).toMatchObject({
    ...{ temperature: 0, top_p: 1, top_k: 0, min_p: 0, max_tokens: 512 },
    ...{ repetition_penalty: 1, presence_penalty: 0, frequency_penalty: 0 },
    chat_template_kwargs: { enable_thinking: false },
  });
});

test.each([
  { sampling: { top_p: 0.9 } },
  { sampling: { top_k: 40 } },
  { sampling: { min_p: 0.1 } },
  { sampling: { repetition_penalty: 1.05 } },
  { sampling: { presence_penalty: 0.5 } },
  { sampling: { frequency_penalty: 0.5 } },
  { sampling: { max_tokens: 99 } },
  { chat_template_kwargs: { enable_thinking: false } },
  { extra_body: { service_tier: 'flex' } },
])('has another key under %j', async (change) => {
  const { gateway, config } = await served('Score: 7');
  const first = await gateway.grade();
  await gateway.close();
  const judge = { ...config.roles.judge, ...change };
  const other = await (await gatewayWith({ ...config, roles: { judge } })).grade();
  expect(other.replayed).toBe(false);
  expect(other.trace_keys).not.toEqual(first.trace_keys);
});

test('adds the fields of extra_body, and lets none of them change what is asked', async () => {
  const extra_body = {
    service_tier: 'flex',
    messages: [],
    model: 'other',
    temperature: 2,
    max_tokens: 1,
    top_logprobs: 1,
  };
  const { gateway, judge } = await served('Score: 7', { extra_body });
  await gateway.grade();
  const sent = judge.chats[0]?.body;
  expect(sent).toMatchObject({
    service_tier: 'flex',
    model: 'tiny',
    temperature: 0,
    max_tokens: 512,
    top_logprobs: 20,
  });
  expect(sent.messages).toHaveLength(1);
});

test('constrains the one token of single_token mode to the digits where gavel serves the model', async () => {
  const { gateway, judge } = await served('4', { sampling: { temperature: 1, repetition_penalty: 1.2 } });
  const grade = await gateway.grade({ mode: 'single_token' });
  expect(grade).toMatchObject({ verdict: 'scored', score: 4, reasoning: null });
  expect(grade.off_scale_mass).toBeCloseTo(0.1, 3);
  const sent = judge.chats[0]?.body;
  expect(sent).toMatchObject({ max_tokens: 1, temperature: 0, repetition_penalty: 1, logprobs: true });
  expect(sent.allowed_token_ids).toEqual(digits);
  expect(sent).not.toHaveProperty('continue_final_message');
});

test('gives no score for a digit that vLLM was made to say where it refuses log-probabilities', async () => {
  const { gateway, judge } = await graded(
    ({ body }) =>
      body.logprobs
        ? {
            status: 400,
            body: { error: { message: 'Requested sample logprobs of 20, which is greater than max allowed: 5' } },
          }
        : { text: '4' },
    { engine: 'vllm' },
  );
  judge.vllm = true;
  const grade = await gateway.grade({ mode: 'single_token' });
  expect(grade).toMatchObject({
    verdict: 'unparseable',
    score: null,
    reasoning: expect.stringMatching(/log-probabilities/),
  });
});

test("sends no field that is not OpenAI's to another server, and still reads the digit", async () => {
  const { gateway, judge } = await graded(() => ({ text: '4', logprobs: false }));
  const grade = await gateway.grade({ mode: 'single_token' });
  expect(grade).toMatchObject({ score: 4, value: 4, value_rule: 'score', confidence: null, off_scale_mass: null });
  const fields = Object.keys(judge.chats[0]?.body).sort();
  const penalties = ['frequency_penalty', 'presence_penalty'];
  const common = ['logprobs', 'max_tokens', 'messages', 'model', 'temperature', 'top_logprobs', 'top_p'];
  expect(fields).toEqual([...common, ...penalties].sort());
});

const PREFIXED = `name: test
frame: none
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
modes:
  reasoned: {messages: [{role: user, content: "{{prompt}} {{completion}}"}]}
  single_token: {messages: [{role: user, content: "{{prompt}} {{completion}}"}], answer_prefix: "Score: "}
`;

test("begins vLLM's answer with the rubric's prefix, and another server's not", async () => {
  const judge = await fakeJudge(() => ({ text: '4' }));
  judge.vllm = true;
  const keys: string[] = [];
  for (const engine of ['vllm', 'openai'] as const) {
    const run_dir = runDirectory(PREFIXED);
    const gateway = await gatewayWith(configFor(run_dir, { base_url: judge.url, model: 'tiny', engine }));
    keys.push(...(await gateway.grade({ mode: 'single_token' })).trace_keys);
    const [trace] = await tracesOf(run_dir);
    expect(trace).toMatchObject({ reply: '4', answer_prefix: engine === 'vllm' ? 'Score: ' : null });
    expect(trace?.messages).toHaveLength(1);
  }
  const [vllm, openai] = judge.chats.map(({ body }) => body);
  expect(vllm).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
  expect(vllm.messages.at(-1)).toEqual({ role: 'assistant', content: 'Score: ' });
  expect(openai.messages).toHaveLength(1);
  expect(openai).not.toHaveProperty('continue_final_message');
  expect(keys[0]).not.toBe(keys[1]);
});

const LABELLED = `name: test
frame: none
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
labels: [{label: yes, score: 9}, {label: no, score: 0}]
modes:
  reasoned: {messages: [{role: user, content: "{{prompt}} {{completion}}"}]}
  single_token: {messages: [{role: user, content: "{{prompt}} {{completion}}"}]}
  choice: {messages: [{role: user, content: "{{prompt}} {{completion}} {{labels}}"}], answer_prefix: "It is right:"}
`;

/** Token ids of texts; other texts are several tokens. */
const vocabulary = (words: Record<string, number>) => (text: string) => [
  words[text] ?? 1,
  ...(text in words ? [] : [2]),
];

async function labelled(text: string, words: Record<string, number>) {
  const judge = await fakeJudge(() => ({ text }));
  judge.vllm = true;
  judge.tokens = vocabulary(words);
  const run_dir = runDirectory(LABELLED);
  const gateway = await gatewayWith(configFor(run_dir, { base_url: judge.url, model: 'tiny', engine: 'vllm' }));
  return { judge, gateway, run_dir };
}

test.each([
  ['with a space before them', { yes: 7, ' yes': 8, ' no': 9 }, [8, 9]],
  ['both ways', { yes: 5, no: 6, ' yes': 8, ' no': 9 }, [5, 6, 8, 9]],
])('constrains a choice to labels that are all one token %s', async (_, words, allowed) => {
  const { judge, gateway, run_dir } = await labelled(' yes', words);
  expect(await gateway.grade({ mode: 'choice' })).toMatchObject({ verdict: 'scored', score: 9 });
  const sent = judge.chats[0]?.body;
  expect(sent).toMatchObject({ allowed_token_ids: allowed, max_tokens: 1, temperature: 0 });
  expect(sent.messages.at(-1)).toEqual({ role: 'assistant', content: 'It is right:' });
  const [trace] = await tracesOf(run_dir);
  expect(trace).toMatchObject({ mode: 'choice', reply: ' yes', score: 9, messages: [{ role: 'user' }] });
});

test.each([
  ['', { yes: 7 }],
  [', though each is in some spelling', { yes: 7, ' no': 9 }],
])('leaves a choice free where not all labels are one token%s, and reads it from the text', async (_, words) => {
  const { judge, gateway } = await labelled('No.', words);
  expect(await gateway.grade({ mode: 'choice' })).toMatchObject({ verdict: 'scored', score: 0 });
  const sent = judge.chats[0]?.body;
  expect(sent).not.toHaveProperty('allowed_token_ids');
  expect(sent.max_tokens).toBeGreaterThan(1);
});
