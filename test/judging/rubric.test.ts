import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderMessages } from '../../src/judging/messages.ts';
import { canonicalRubric, loadRubric, readRubric } from '../../src/judging/rubric.ts';
import { runDirectory } from '../gateway/start.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const scores = `scores: {${[...'0123456789'].map((digit) => `${digit}: means ${digit}`).join(', ')}}`;
const modes = (content: string) => `modes:
  reasoned:
    messages:
      - role: user
        content: "${content}"
  single_token:
    messages:
      - role: user
        content: "{{prompt}} {{completion}}"
`;

const labels = (list: string) => `labels: [${list}]\n`;
const choice = `${modes('{{prompt}} {{completion}}')}  choice:
    messages:
      - role: user
        content: "{{prompt}} {{completion}}"
`;

function load(text: string) {
  const path = join(runDirectory(), 'r.yaml');
  writeFileSync(path, text);
  return loadRubric(path);
}

test('fills the templates in one pass, so that braces in a completion stay', () => {
  const { rubric } = load(`name: r\nframe: none\n${scores}\n${modes('P {{prompt}} C {{ completion }} S {{scores}}')}`);
  const [message] = renderMessages(rubric, 'reasoned', {
    prompt: 'p',
    completion: '{{prompt}} $& x',
    ground_truth: 'truth',
  });
  expect(message?.content).toMatch(/^P p C \{\{prompt\}\} \$& x S 0: means 0\n1: means 1\n/);
  expect(message?.content).not.toContain('truth');
});

test('has the same digest whatever its comments and layout', () => {
  const text = `name: r\nframe: none\n${scores}\n${modes('{{prompt}} {{completion}}')}`;
  expect(load(`# a comment\n\n${text}`).digest).toBe(load(text).digest);
  expect(load(text.replace('means 3', 'means three')).digest).not.toBe(load(text).digest);
});

test.each([
  [
    'an unknown placeholder',
    `name: r\nframe: none\n${scores}\n${modes('{{prompt}} {{completion}} {{answer}}')}`,
    /r\.yaml:8: .*content.*got "answer"/,
  ],
  [
    'a template without the completion',
    `name: r\nframe: none\n${scores}\n${modes('{{prompt}}')}`,
    /r\.yaml:7: .*Expected \{\{completion\}\}/,
  ],
  [
    'ground truth without reference_guided',
    `name: r\nframe: none\n${scores}\n${modes('{{prompt}} {{completion}} {{ground_truth}}')}`,
    /reference_guided is false/,
  ],
  [
    'a missing score',
    `name: r\nframe: none\nscores: {0: a, 9: b}\n${modes('{{prompt}} {{completion}}')}`,
    /r\.yaml:3: scores: .*none for 1, 2/,
  ],
  [
    'an unknown field',
    `name: r\nframe: none\nnmae: x\n${scores}\n${modes('{{prompt}} {{completion}}')}`,
    /r\.yaml:\d+: .*nmae/,
  ],
  [
    'a limit that no verdict could be over',
    `name: r\nframe: none\nmax_off_scale_mass: 1\n${scores}\n${modes('{{prompt}} {{completion}}')}`,
    /r\.yaml:3: max_off_scale_mass: .*expected number to be <1/,
  ],
  [
    'a limit below every probability',
    `name: r\nframe: none\nmax_off_scale_mass: -0.1\n${scores}\n${modes('{{prompt}} {{completion}}')}`,
    /r\.yaml:3: max_off_scale_mass: .*expected number to be >=0/,
  ],
  [
    'labels without a template that asks for them',
    `name: r\nframe: none\n${labels('{label: yes, score: 9}, {label: no, score: 0}')}${scores}\n${modes('{{prompt}} {{completion}}')}`,
    /r\.yaml:3: labels: Expected a template modes\.choice/,
  ],
  [
    'a template for a choice of nothing',
    `name: r\nframe: none\n${scores}\n${choice}`,
    /modes\.choice: Expected labels/,
  ],
  [
    'labels that show nowhere',
    `name: r\nframe: none\n${scores}\n${modes('{{prompt}} {{completion}} {{labels}}')}`,
    /Expected no \{\{labels\}\}/,
  ],
  [
    'labels that are alike',
    `name: r\nframe: none\n${labels('{label: yes, score: 9}, {label: Yes, score: 0}')}${scores}\n${choice}`,
    /r\.yaml:3: labels\.1\.label: .*got "Yes" twice/,
  ],
  [
    'labels of one score',
    `name: r\nframe: none\n${labels('{label: yes, score: 9}, {label: ja, score: 9}')}${scores}\n${choice}`,
    /labels\.1\.score: .*got 9 twice/,
  ],
  [
    'labels that all pass',
    `name: r\nframe: none\n${labels('{label: yes, score: 9}, {label: well, score: 6}')}${scores}\n${choice}`,
    /labels: Expected scores on both sides of the threshold 5, got all at or above it/,
  ],
  [
    'a label of two words',
    `name: r\nframe: none\n${labels('{label: not so, score: 0}, {label: yes, score: 9}')}${scores}\n${choice}`,
    /labels\.0\.label: .*a word without spaces/,
  ],
  ['broken YAML', 'name: [r\nscores: 3', /r\.yaml:\d+: /],
])('refuses %s, naming file, line and field', (_, text, message) => {
  expect(() => load(text)).toThrow(message);
});

test('names a rubric file that is not there', () => {
  expect(() => loadRubric('/nowhere/r.yaml')).toThrow('/nowhere/r.yaml: Expected a readable rubric file, got ENOENT.');
});

test('a run keeps its rubric as canonical JSON, with the digest of the file that a person wrote', () => {
  const loaded = load(`name: r # a comment\nframe: none\n${scores}\n${modes('{{prompt}} {{completion}}')}`);
  const path = join(temporaryFolder('rubric'), 'rubric.json');
  writeFileSync(path, canonicalRubric(loaded));
  expect(readRubric(path)).toEqual(loaded);
  expect(readFileSync(path, 'utf8')).toMatch(/^\{"description":"",[^ ]/);
});

test('a gateway reads no YAML: what is not the JSON that prepare wrote is refused by path and field', () => {
  const path = join(temporaryFolder('rubric'), 'rubric.json');
  writeFileSync(path, 'name: r');
  expect(() => readRubric(path)).toThrow(`${path}: Expected the rubric that prepare wrote (JSON)`);
  writeFileSync(path, '{"name": 3}');
  expect(() => readRubric(path)).toThrow(/→ at name/);
  expect(() => readRubric('/nowhere/rubric.json')).toThrow('/nowhere/rubric.json: Expected the rubric of the run');
});
