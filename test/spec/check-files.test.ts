import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { problemsHere } from '../../src/spec/check-files.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { spec } from '../workflows/environment.ts';

const COMMIT = 'a09a35458c702b33eeacc393d103063234e8bc28';

function worker(allow_args: string[] = []) {
  const root = process.cwd();
  return { root, allow_args };
}

const shipped = {
  ...spec,
  policy: { model: 'models/poly-easy-policy' },
  judge: { model: 'models/poly-easy-judge', rubric: 'examples/rubrics/poly-easy.yaml' },
  base: { model: 'models/poly-easy-grader-base' },
};

const problems = (change: object, allow_args?: string[]) =>
  problemsHere(worker(allow_args), Spec.parse({ ...shipped, ...change })).map(({ field }) => field);

test('a spec of shipped models has no problems', () => {
  expect(problems({})).toEqual([]);
});

test('a hub model needs the commit that it is pinned to, and a folder has none', () => {
  expect(problems({ policy: { model: 'Qwen/Qwen3-1.7B' } })).toEqual(['policy.revision']);
  expect(problems({ policy: { model: 'Qwen/Qwen3-1.7B', revision: COMMIT } })).toEqual([]);
  expect(problems({ base: { ...shipped.base, revision: COMMIT } })).toEqual(['base.revision']);
});

test('every file that is missing is named', () => {
  const judge = { model: 'models/none', rubric: 'none.yaml' };
  expect(problems({ judge, base: { model: '/no/such' } })).toEqual(['judge.model', 'base.model', 'judge.rubric']);
});

test('data of a further task that is missing is named by its entry', () => {
  const evaluate_on = [{ name: 'gsm8k' }, { name: 'svamp', path: 'no/such' }];
  expect(problems({ task: { ...spec.task, evaluate_on } })).toEqual(['task.evaluate_on.1.path']);
});

test('truths that are hidden cannot be shown to a judge that is guided by them', () => {
  const rubric = join(temporaryFolder('rubric'), 'guided.yaml');
  const text = readFileSync('examples/rubrics/short-answer.yaml', 'utf8');
  expect(text).toContain('reference_guided: true');
  writeFileSync(rubric, text);
  const change = { task: { ...spec.task, unlabelled_fraction: 0.5 }, judge: { ...shipped.judge, rubric } };
  expect(problems(change)).toContain('task.unlabelled_fraction');
  expect(problems({ ...change, judge: shipped.judge })).toEqual([]);
});

test('flags that could load code are refused for every role, unless the worker allows them', () => {
  const serve = { extra_args: ['--trust-remote-code'] };
  const change = { grader: { serve }, judge: { ...shipped.judge, serve } };
  expect(problems(change)).toEqual(['judge.serve.extra_args', 'grader.serve.extra_args']);
  expect(problems(change, ['--trust-remote-code'])).toEqual([]);
  expect(problems({ grpo: { accelerate_args: ['--module', 'evil'] } })).toEqual(['grpo.accelerate_args']);
});

test('a frame that judge or base cannot spell is refused, and any model of bytes can', () => {
  const judge = { ...shipped.judge, rubric: 'examples/rubrics/math-correctness.yaml' };
  expect(problems({ judge })).toEqual(['judge.rubric', 'judge.rubric']);
  const bytes = join(temporaryFolder('bytes'), 'model');
  mkdirSync(bytes);
  writeFileSync(join(bytes, 'config.json'), '{}');
  const tokenizer = { model: { vocab: { Ġ: 0 } }, pre_tokenizer: { type: 'ByteLevel' } };
  writeFileSync(join(bytes, 'tokenizer.json'), JSON.stringify(tokenizer));
  expect(problems({ judge: { ...judge, model: bytes }, base: { model: bytes } })).toEqual([]);
});

test('a mode that the rubric has no template for is refused wherever it is asked for', () => {
  const choice = { judge: { ...shipped.judge, mode: 'choice' }, sft: { modes: ['choice'] } };
  const audit = { grader_modes: ['choice'], headline_mode: 'choice' };
  expect(problems({ ...choice, audit })).toEqual(['judge.mode', 'sft.modes', 'audit.grader_modes']);
  const judge = { ...choice.judge, rubric: 'examples/rubrics/short-answer.yaml' };
  // The shipped models cannot spell the frame of that rubric; it has the mode.
  expect(problems({ ...choice, judge, audit })).toEqual(['judge.rubric', 'judge.rubric']);
});
