import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkSpec } from '../src/contracts/spec/check.ts';
import { modesOf, renderMessages } from '../src/judging/messages.ts';
import { loadRubric } from '../src/judging/rubric.ts';
import { loadSpec } from '../src/spec/load-spec.ts';

const folder = fileURLToPath(new URL('../examples/', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const specs = readdirSync(folder).filter((name) => /\.(yaml|json)$/.test(name));
const read = (name: string) => readFileSync(folder + name, 'utf8');

describe.each(specs)('examples/%s', (name) => {
  it('is a spec without problems', () => {
    expect(checkSpec(parse(read(name)))).toMatchObject({ problems: [] });
    expect(() => loadSpec(folder + name)).not.toThrow();
  });

  it('names a rubric that is there and has both modes and all scores', () => {
    const { rubric } = loadRubric(root + loadSpec(folder + name).judge.rubric);
    expect(Object.keys(rubric.scores)).toHaveLength(10);
    expect(Object.keys(rubric.modes)).toEqual(['reasoned', 'single_token']);
  });

  it('is named after its run', () => {
    expect(name.replace(/\.\w+$/, '')).toBe(loadSpec(folder + name).run);
  });
});

it.each(readdirSync(`${folder}rubrics`))('rubrics/%s shows prompt and completion in each of its modes', (name) => {
  const { rubric } = loadRubric(`${folder}rubrics/${name}`);
  for (const mode of modesOf(rubric)) {
    const text = renderMessages(rubric, mode, { prompt: 'ASKED', completion: 'SAID', ground_truth: 'TRUE' })
      .map(({ content }) => content)
      .join('\n');
    expect(text).toMatch(/ASKED[\s\S]*SAID/);
    expect(text.includes('TRUE')).toBe(rubric.reference_guided);
    expect(text).not.toMatch(/\{\{|\}\}|undefined/);
  }
});

it('poly-easy.json, for `temporal workflow start --input-file`, is poly-easy.yaml', () => {
  expect(JSON.parse(read('poly-easy.json'))).toEqual(parse(read('poly-easy.yaml')));
});

it('gsm8k-8xh100 uses eight GPUs in its largest stage and one for each rank', () => {
  const { placement, grpo, sft } = loadSpec(`${folder}gsm8k-8xh100.yaml`);
  expect(placement.judge_gpus + placement.rollout_gpus + placement.trainer_gpus).toBe(8);
  expect(grpo.processes).toBe(placement.trainer_gpus);
  expect(sft.processes).toBe(placement.trainer_gpus);
  expect(sft.batch_size % sft.processes).toBe(0);
});
