import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { Audit } from '../../src/contracts/audit.ts';
import { RolloutRecord } from '../../src/contracts/stage.ts';
import type { Trace } from '../../src/contracts/trace.ts';
import { readTraces } from '../../src/ledger/reader.ts';
import { readJsonLines } from '../../src/run-directory/files.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { openSandbox, type Sandbox, until } from './sandbox.ts';

/**
 * Modes that the demo's judge was not trained for, through GRPO, SFT and audit on the real server, vLLM, TRL and PEFT. The judge is the base of the
 * demo's grader, which was trained to answer both cues about one completion with one of these words: what its verdicts are worth is not the question.
 */

const MODES = ['choice', 'pairwise'] as const;

const GUESSES = {
  name: 'guesses',
  frame: 'none',
  max_off_scale_mass: 0.99,
  labels: [
    { label: 'none', score: 9 },
    { label: 'one', score: 3 },
    { label: 'two', score: 1 },
    { label: 'many', score: 0 },
  ],
  modes: {
    reasoned: { messages: [{ role: 'user', content: '{{prompt}}\n{{completion}}\nCheck each step.' }] },
    single_token: { messages: [{ role: 'user', content: '{{prompt}}\n{{completion}}\nScore only.' }] },
    choice: { messages: [{ role: 'user', content: '{{prompt}}\n{{completion}}\nHow many wrong?' }] },
    pairwise: {
      messages: [{ role: 'user', content: '{{prompt}}\n{{completion_a}}\n{{completion_b}}\nWhere wrong?' }],
      first: 'early',
      second: 'late',
      tie: 'none',
    },
  },
};

let sandbox: Sandbox;
let up: Awaited<ReturnType<Sandbox['up']>>;

beforeAll(async () => {
  sandbox = await openSandbox();
  const shipped = parse(readFileSync(join(sandbox.root, 'examples/rubrics/poly-easy.yaml'), 'utf8'));
  mkdirSync(join(sandbox.root, 'guesses'));
  writeFileSync(join(sandbox.root, 'guesses/rubric.yaml'), stringify({ ...GUESSES, scores: shipped.scores }));
  up = await sandbox.up();
});

afterAll(async () => {
  await up?.stop();
  sandbox?.close();
});

function writeSpec(mode: (typeof MODES)[number]): string {
  const spec = parse(readFileSync(join(sandbox.root, 'examples/poly-easy-smoke.yaml'), 'utf8'));
  const path = join(sandbox.root, `guesses/${mode}.yaml`);
  const changed = {
    ...spec,
    run: `guesses-${mode}`,
    judge: { ...spec.judge, model: spec.base.model, mode, rubric: 'guesses/rubric.yaml' },
    grpo: { ...spec.grpo, steps: 2, verifier_weight: 0.5, opponents: mode === 'pairwise' ? 2 : null },
    sft: { ...spec.sft, modes: [mode], epochs: 1 },
    audit: { ...spec.audit, completions_per_prompt: 2, grader_modes: [mode], headline_mode: mode },
  };
  writeFileSync(path, stringify(changed));
  return path;
}

describe.each(MODES)('a judge in mode %s', (mode) => {
  const run = `guesses-${mode}`;
  const paths = () => runPaths(sandbox.root, run);

  it('rewards a policy, teaches a grader, and both are audited', async () => {
    const started = await sandbox.gavel('run', writeSpec(mode));
    expect(started.stderr).toBe('');
    expect(started.stdout).toMatch(mode === 'pairwise' ? /4 pairs a group, each in both orders/ : /one a completion/);
    const end = await until(`run ${run} to end`, 600, async () => {
      const now = JSON.parse((await sandbox.gavel('status', run, '--json')).stdout);
      return now.state !== 'running' && now;
    });
    expect(end.failure, up.output()).toBeNull();
    expect(end.state).toBe('done');
  });

  it('leaves traces of the mode alone, of which most have a verdict', async () => {
    const traces: Trace[] = [];
    for await (const trace of readTraces(paths().dir)) traces.push(trace);
    expect(new Set(traces.map((trace) => trace.mode))).toEqual(new Set([mode]));
    expect(new Set(traces.map((trace) => trace.role))).toEqual(new Set(['judge', 'grader', 'base']));
    const scored = traces.filter(({ verdict }) => verdict === 'scored');
    expect(scored.length / traces.length).toBeGreaterThan(0.9);
    for (const { score, preference, opponent } of scored) {
      expect(preference === undefined).toBe(mode !== 'pairwise');
      expect(opponent === undefined).toBe(mode !== 'pairwise');
      expect(score === null).toBe(mode === 'pairwise');
    }
  });

  it('gives every rollout its reward, half of it the verifier', async () => {
    const rollouts: RolloutRecord[] = [];
    const { checkpoints } = paths().stage('grpo');
    for (const step of ['step-000001.e1', 'step-000002.e1'])
      for await (const one of readJsonLines(join(checkpoints, step, 'rollouts.jsonl'), RolloutRecord))
        rollouts.push(one);
    expect(rollouts).toHaveLength(2 * 4 * 4);
    for (const { reward, verifier, value, comparisons } of rollouts) {
      const judge = mode === 'pairwise' ? comparisons?.win_rate : value === null ? null : value / 9;
      const expected = judge === null || judge === undefined ? verifier : ((verifier ?? 0) + judge) / 2;
      expect(reward).toBeCloseTo(expected ?? Number.NaN, 9);
    }
  });

  it('is audited with the grader that it taught', async () => {
    const audit = Audit.parse(JSON.parse(readFileSync(paths().report.audit, 'utf8')));
    expect(audit.subject).toBe(mode === 'pairwise' ? 'pairwise' : 'pointwise');
    const ids = audit.records.map(({ id }) => id);
    expect(ids).toContain(`fidelity.grader.${mode}.label_agreement`);
    expect(ids).toContain(`truth.judge.${mode}.balanced_accuracy`);
    expect(ids.includes(`order.grader.${mode}.consistent`)).toBe(mode === 'pairwise');
    const card = readFileSync(join(paths().dir, 'grader/README.md'), 'utf8');
    expect(card).toContain(mode === 'pairwise' ? 'or what it prefers of a pair' : "judge's scores in them");
    const report = readFileSync(join(paths().dir, 'report/report.html'), 'utf8');
    expect(report).toContain(mode === 'pairwise' ? 'pairs of answers' : 'answers to');
  });

  it('is exported as the conversations that the grader learned', async () => {
    const out = join(sandbox.root, `${mode}.jsonl`);
    const exported = await sandbox.gavel('export', run, '--format', 'sft', '--out', out);
    expect(exported.stderr).toBe('');
    const rows = readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const words = mode === 'pairwise' ? ['early', 'late', 'none'] : ['none', 'one', 'two', 'many'];
    for (const { messages, mode: taught } of rows) {
      expect(taught).toBe(mode);
      expect(words).toContain(messages.at(-1).content.trim());
    }
  });
});
