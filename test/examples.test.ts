import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { GradingMode } from '../src/contracts/mode.ts';
import { checkSpec } from '../src/contracts/spec/check.ts';
import { controlStrings } from '../src/judging/control-strings.ts';
import { guardedPrompting } from '../src/judging/guard.ts';
import { modesOf, templateOf } from '../src/judging/messages.ts';
import { modes } from '../src/judging/modes/registry.ts';
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

  it('names a rubric that is there and has a template for each mode that the spec asks in', () => {
    const { judge, sft, audit } = loadSpec(folder + name);
    const { rubric } = loadRubric(root + judge.rubric);
    expect(modesOf(rubric)).toEqual(expect.arrayContaining([judge.mode, ...sft.modes, ...audit.grader_modes]));
  });

  it('is named after its run', () => {
    expect(name.replace(/\.\w+$/, '')).toBe(loadSpec(folder + name).run);
  });
});

describe.each(readdirSync(`${folder}rubrics`))('rubrics/%s', (name) => {
  const { rubric } = loadRubric(`${folder}rubrics/${name}`);
  const one = { prompt: 'ASKED', completion: 'SAID', ground_truth: 'TRUE' };
  const subject = (mode: GradingMode) => (modes[mode].pairs ? { ...one, opponent: 'OTHER' } : one);

  it('is named after its file', () => expect(name).toBe(`${rubric.name}.yaml`));

  it.each(modesOf(rubric))(
    'shows prompt and completion in mode %s, and the truth where it is reference-guided',
    (mode) => {
      const { messages } = guardedPrompting(rubric, mode, subject(mode), controlStrings([]));
      const text = messages.map(({ content }) => content).join('\n');
      expect(text).toMatch(modes[mode].pairs ? /ASKED[\s\S]*SAID[\s\S]*OTHER/ : /ASKED[\s\S]*SAID/);
      expect(text.includes('TRUE')).toBe(rubric.reference_guided);
      expect(text).not.toMatch(/\{\{|\}\}|undefined/);
      const examples = modes[mode].pairs ? 0 : (rubric.examples?.length ?? 0);
      expect(messages.filter(({ role }) => role === 'assistant')).toHaveLength(examples);
    },
  );

  // The demo's models were trained on a cue after the completion; their prompts are shorter than a block of a prefix cache.
  it.skipIf(rubric.frame === 'none').each(modesOf(rubric))(
    'has all that is alike for all completions first in mode %s',
    (mode) => {
      const { messages } = templateOf(rubric, mode);
      expect(messages.at(-1)?.content).toMatch(/\{\{completion(_b)?\}\}\s*$/);
      for (const { content } of messages.slice(0, -1))
        expect(content).not.toMatch(/\{\{(prompt|completion|completion_[ab]|frame|ground_truth)\}\}/);
      expect(messages.at(-1)?.content).not.toMatch(/\{\{(scores|labels)\}\}/);
    },
  );
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
