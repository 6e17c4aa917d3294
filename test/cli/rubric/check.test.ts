import { readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { checkRubric } from '../../../src/cli/rubric/check.ts';
import { misread } from '../../../src/cli/rubric/dry-verdicts.ts';
import type { CheckOptions } from '../../../src/cli/rubric/options.ts';
import { checkText } from '../../../src/cli/rubric/print-check.ts';
import { loadConfig } from '../../../src/config.ts';
import { unscored } from '../../../src/judging/value.ts';
import { fakeJudge } from '../../gateway/start.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

const rubrics = fileURLToPath(new URL('../../../examples/rubrics', import.meta.url));
const check = (name: string, options: CheckOptions = {}) => checkRubric(loadConfig(), join(rubrics, name), options);

function rows(...lines: string[]): string {
  const path = join(temporaryFolder('rows'), 'rows.jsonl');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const row = (more: object = {}) => JSON.stringify({ id: 'a', prompt: 'Capital of Peru?', completion: 'Lima', ...more });
const guided = { groundTruth: 'Lima' };

test.each(readdirSync(rubrics))(
  'finds no problem with rubrics/%s, and reads back every reply that it gives itself',
  async (name) => {
    const { problems, modes } = await check(name);
    expect(problems).toEqual([]);
    const single = modes.find(({ mode }) => mode === 'single_token');
    expect(single?.dry.map(({ verdict }) => verdict.score)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  },
);

test('shows the messages of each mode about a row, the answers that count and what a grader is taught', async () => {
  const path = rows(row({ ground_truth: 'Cusco' }), row({ ground_truth: 'Lima<|im_end|>' }));
  const { subject, modes } = await check('short-answer.yaml', { row: `${path}:2` });
  expect(subject.source).toBe(`${path}:2`);
  expect(modes.map(({ mode }) => mode)).toEqual(['reasoned', 'single_token', 'choice']);
  for (const { messages, altered } of modes) {
    expect(messages.at(-1)?.content).toContain('Lima< |im_end|>');
    expect(altered).toEqual(['ground_truth']);
  }
  const [reasoned, , choice] = modes;
  expect(choice?.answers).toEqual([
    { answer: 'correct', score: 9, passes: true, preferred: null },
    { answer: 'partly', score: 5, passes: true, preferred: null },
    { answer: 'incorrect', score: 0, passes: false, preferred: null },
  ]);
  expect(choice?.taught?.[4]).toBe('incorrect');
  expect(reasoned).toMatchObject({ answers: [], taught: null });
  // The replies of its examples, since the mode has none of its own.
  expect(reasoned?.dry.map(({ from, expected, verdict }) => [from, expected, verdict.score])).toEqual([
    ['example', 9, 9],
    ['example', 5, 5],
    ['example', 0, 0],
  ]);
});

test('reads a reply that a person gives, and makes no score of one that has none', async () => {
  const read = async (reply: string) =>
    (await check('math-correctness.yaml', { mode: ['reasoned'], reply })).modes[0]?.dry;
  expect(await read('It holds.\n**Score: 7/9**')).toMatchObject([
    { from: 'command line', expected: null, verdict: { verdict: 'scored', score: 7, p_pass: 1 } },
  ]);
  expect(await read('It holds.')).toMatchObject([{ verdict: { verdict: 'unparseable', score: null } }]);
});

test('a reply that reads as another score than it stands for is a problem, and so is an answer without one', () => {
  const verdict = { ...unscored('unparseable'), reasoning: null };
  const dry = [{ reply: 'ja', from: 'mode' as const, expected: 9, verdict }];
  expect(misread('choice', [{ answer: 'ja', score: null, passes: false, preferred: null }], dry)).toEqual([
    'modes.choice: Expected a verdict for each answer, got none for "ja".',
    'modes.choice: Expected "ja", the reply for 9, to be read as that, got unparseable.',
  ]);
});

test.each([
  [
    'a mode that the rubric has not',
    { mode: ['choice'] },
    'poly-easy.yaml',
    /--mode: expected one of reasoned, single_token, .* found choice/,
  ],
  [
    'a completion without a prompt',
    { completion: '4' },
    'poly-easy.yaml',
    /prompt is missing; expected it there or as --prompt/,
  ],
  [
    'a row without the reference that the rubric shows',
    { prompt: 'p', completion: 'c' },
    'short-answer.yaml',
    /ground_truth is missing; .*reference-guided/,
  ],
  [
    'a file that is not there',
    { row: '/nowhere/rows.jsonl:2' },
    'poly-easy.yaml',
    /--row: .*ENOENT for \/nowhere\/rows\.jsonl/,
  ],
  ['a model without --ask', { model: 'm' }, 'poly-easy.yaml', /--model: expected only with --ask/],
  [
    '--ask without a model',
    { ask: 'http://127.0.0.1:1/v1', prompt: 'p', completion: 'c' },
    'poly-easy.yaml',
    /--model: missing/,
  ],
  [
    '--ask without a row',
    { ask: 'http://127.0.0.1:1/v1', model: 'm' },
    'poly-easy.yaml',
    /--ask: expected --row, or --prompt and --completion/,
  ],
  [
    '--ask of no URL',
    { ask: 'localhost', model: 'm' },
    'poly-easy.yaml',
    /--ask: expected a URL up to and including \/v1/,
  ],
  [
    'a key in place of its variable',
    { ask: 'http://127.0.0.1:1/v1', model: 'm', apiKeyEnv: 'sk-12' },
    'poly-easy.yaml',
    /--api-key-env: expected the name of a variable/,
  ],
  [
    'a variable without a key',
    { ask: 'http://127.0.0.1:1/v1', model: 'm', apiKeyEnv: 'NO_SUCH_KEY' },
    'poly-easy.yaml',
    /--api-key-env: .*NO_SUCH_KEY, found none/,
  ],
  ['a folder without a tokenizer', { tokenizer: rubrics }, 'poly-easy.yaml', /--tokenizer: expected a model folder/],
] as [string, CheckOptions, string, RegExp][])('refuses %s as wrong usage', async (_, options, name, message) => {
  await expect(check(name, options)).rejects.toMatchObject({
    name: 'CliError',
    code: 2,
    message: expect.stringMatching(message),
  });
});

test.each([
  ['{"prompt": 3}', /:1: prompt: .*expected string/],
  ['{"prompt": "p"', /:1: expected a JSON object, got /],
  ['', /expected a row in line 1 of .*, found an empty one/],
])('refuses the row %s, naming file and line', async (line, message) => {
  await expect(check('poly-easy.yaml', { row: rows(line) })).rejects.toThrow(message);
});

test('asks a model once in each mode, as a gateway does, and leaves nothing behind', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('gavel-ask-'));
  const judge = await fakeJudge(({ body }) => ({ text: body.max_tokens === 1 ? '7' : 'Right. Score: 8' }));
  vi.stubEnv('RUBRIC_CHECK_KEY', 'sk-check');
  onTestFinished(() => void vi.unstubAllEnvs());
  const modes = ['reasoned', 'single_token'] as const;
  const asked = await check('short-answer.yaml', {
    ...{ ask: judge.url, model: 'tiny', apiKeyEnv: 'RUBRIC_CHECK_KEY', mode: [...modes] },
    ...{ prompt: 'Capital of Peru?', completion: 'Lima', ...guided },
  });
  expect(judge.chats).toHaveLength(2);
  expect(judge.chats.map(({ authorization }) => authorization)).toEqual(['Bearer sk-check', 'Bearer sk-check']);
  for (const { messages } of asked.modes) {
    expect(judge.chats.map(({ body }) => body.messages)).toContainEqual(messages);
  }
  const [reasoned, single] = asked.modes;
  expect(reasoned?.asked).toMatchObject({ verdict: 'scored', score: 8, reply: 'Right. Score: 8' });
  expect(single?.asked).toMatchObject({ verdict: 'scored', score: 7, value_rule: 'expectation' });
  expect(checkText(asked)).toMatch(
    /replied +"7" in \d+ ms\n +verdict +score 7, value 6\.89, passes\n +shares +6: 0\.11, 7: 0\.89/,
  );
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('gavel-ask-'))).toEqual(before);
});

test('a vLLM is asked with the answer prefix and kept to the answers', async () => {
  const judge = await fakeJudge(() => ({ text: 'right' }));
  judge.vllm = true;
  judge.tokens = (text) => [text.length];
  const { modes } = await check('math-correctness.yaml', {
    ...{ ask: judge.url, model: 'tiny', engine: 'vllm', mode: ['choice'], prompt: 'p', completion: 'c' },
  });
  expect(judge.chats[0]?.body.messages.at(-1)).toEqual({ role: 'assistant', content: 'The final answer is' });
  expect(modes[0]?.asked).toMatchObject({ mode: 'choice', reply: 'right' });
});

test('says that a model refuses the key, and scores nothing', async () => {
  const judge = await fakeJudge(() => ({ status: 401, body: { error: { message: 'no such key' } } }));
  const asking = check('poly-easy.yaml', { ask: judge.url, model: 'tiny', prompt: 'p', completion: 'c' });
  await expect(asking).rejects.toMatchObject({ name: 'GatewayError', code: 'judge_misconfigured' });
});

test("shows a pair in mode pairwise, and reads the rubric's own answers as the preferences that they stand for", async () => {
  const pair = { prompt: 'p', completion: 'one', opponent: 'two' };
  const { modes, problems } = await check('helpfulness.yaml', pair);
  expect(problems).toEqual([]);
  expect(modes.map(({ mode }) => mode)).toEqual(['reasoned', 'single_token', 'choice', 'pairwise']);
  const found = modes.at(-1);
  expect(found?.messages.at(-1)?.content).toMatch(/A:\n\[begin \w+\]\none\n[\s\S]*B:\n\[begin \w+\]\ntwo/);
  expect(found?.answers.map(({ answer, preferred }) => [answer, preferred])).toEqual([
    ['A', 'A'],
    ['C', 'tie'],
    ['B', 'B'],
  ]);
  expect(found?.dry.map(({ expected, verdict }) => [expected, verdict.preference?.label])).toEqual([
    ['A', 'A'],
    ['tie', 'tie'],
    ['B', 'B'],
  ]);
  // The others judge one completion.
  expect(JSON.stringify(modes[0])).not.toContain('two');
});

test('without a completion to compare with shows the other modes, and says so where pairwise was asked for', async () => {
  const one = { prompt: 'p', completion: 'one' };
  const { modes } = await check('helpfulness.yaml', one);
  expect(modes.map(({ mode }) => mode)).toEqual(['reasoned', 'single_token', 'choice']);
  await expect(check('helpfulness.yaml', { ...one, mode: ['pairwise'] })).rejects.toThrow(/--opponent: missing/);
});
