import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { canonicalRubric, loadRubric } from '../../src/judging/rubric.ts';
import { pathsIn } from '../../src/run-directory/paths.ts';
import { configFor, fakeJudge, gatewayWith, graded, QUESTION, runDirectory, tracesOf } from './start.ts';

const { prompt, completion, ground_truth } = QUESTION;
const subject = { prompt, completion, ground_truth };

/** Status and body of a POST. */
async function answer(response: Promise<Response>) {
  const { status } = await response;
  // biome-ignore lint/suspicious/noExplicitAny: an answer or an error
  return { status, body: (await (await response).json()) as any };
}

test('renders the very messages that a grading call in that mode sends', async () => {
  const { gateway, judge } = await graded();
  await gateway.grade({ mode: 'single_token' });
  const { body } = await answer(gateway.post('/v1/messages', { mode: 'single_token', ...subject }));
  expect(body).toEqual({ messages: judge.chats[0]?.body.messages, answer_prefix: null, reply: null });
});

test('renders the reply that teaches a score, where the mode has one', async () => {
  const gateway = await gatewayWith({ ...configFor(runDirectory(), {}), roles: {} });
  const rendered = (mode: string) => answer(gateway.post('/v1/messages', { mode, score: 7, ...subject }));
  expect((await rendered('single_token')).body).toMatchObject({ reply: '7' });
  expect((await rendered('reasoned')).body).toMatchObject({ reply: null });
});

test.each(['openai', 'vllm'] as const)(
  'examples are part of the messages, alike for the call of a judge behind engine %s and for a grader that learns from it',
  async (engine) => {
    const judge = await fakeJudge(() => ({ text: '7' }));
    judge.vllm = true;
    const run_dir = runDirectory(WITH_EXAMPLES);
    const role = { base_url: judge.url, model: 'tiny', engine };
    const gateway = await gatewayWith(configFor(run_dir, role));
    await gateway.grade({ mode: 'single_token' });
    const { body } = await answer(gateway.post('/v1/messages', { mode: 'single_token', score: 7, ...subject }));
    expect(body.messages).toEqual([
      { role: 'user', content: 'Digit for 1+1? 2' },
      { role: 'assistant', content: '9' },
      { role: 'user', content: `Digit for ${prompt} ${completion}` },
    ]);
    const begun = engine === 'vllm' ? [{ role: 'assistant', content: 'Score: ' }] : [];
    expect(judge.chats[0]?.body.messages).toEqual([...body.messages, ...begun]);
    expect((await tracesOf(run_dir))[0]?.messages).toEqual(body.messages);
  },
);

const WITH_EXAMPLES = `name: examples
frame: none
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
examples: [{prompt: "1+1?", completion: "2", score: 9, reasoning: "Right. Score: 9"}]
modes:
  reasoned: {messages: [{role: user, content: "Reason about {{prompt}} {{completion}}"}]}
  single_token: {answer_prefix: "Score: ", messages: [{role: user, content: "Digit for {{prompt}} {{completion}}"}]}
`;

test('a mode that the rubric has no template for is refused, with those that it has', async () => {
  const gateway = await gatewayWith({ ...configFor(runDirectory(), {}), roles: {} });
  expect(await answer(gateway.post('/v1/messages', { mode: 'choice', ...subject }))).toMatchObject({
    status: 400,
    body: { error: { code: 'no_template', message: expect.stringContaining('one of reasoned, single_token') } },
  });
});

test('a gateway without a role renders, opens no ledger and refuses to grade', async () => {
  const run_dir = runDirectory();
  const gateway = await gatewayWith({ ...configFor(run_dir, {}), stage: 'sft', roles: {} });
  expect(await answer(gateway.post('/v1/messages', { mode: 'reasoned', ...subject }))).toMatchObject({ status: 200 });
  const refused = await answer(gateway.post('/v1/grade', QUESTION));
  expect(refused).toMatchObject({ status: 400, body: { error: { code: 'no_role' } } });
  await gateway.close();
  expect(existsSync(join(run_dir, 'traces'))).toBe(false);
});

test('a reference-guided rubric is not rendered without the truth', async () => {
  const run_dir = runDirectory();
  const yaml = join(run_dir, 'guided.yaml');
  writeFileSync(yaml, GUIDED);
  writeFileSync(pathsIn(run_dir).rubric, canonicalRubric(loadRubric(yaml)));
  const gateway = await gatewayWith({ ...configFor(run_dir, {}), roles: {} });
  const { body } = await answer(gateway.post('/v1/messages', { mode: 'reasoned', ...subject }));
  expect(JSON.stringify(body)).toContain(ground_truth);
  const refused = await answer(gateway.post('/v1/messages', { mode: 'reasoned', prompt, completion }));
  expect(refused).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringMatching(/^ground_truth: /) } },
  });
});

const GUIDED = `name: guided
frame: none
reference_guided: true
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
modes:
  reasoned: {messages: [{role: user, content: "{{prompt}} {{completion}} {{ground_truth}}"}]}
  single_token: {messages: [{role: user, content: "{{prompt}} {{completion}} {{ground_truth}}"}]}
`;
