import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { newestLines } from '../../src/report/read-run.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { audit, withRecords } from './audit-fixture.ts';
import { interruptions, ledger, metrics, resolvedSpec, runDirectory, stages } from './run-fixture.ts';

// A report is a dozen drawings; on a busy machine they take seconds.
vi.setConfig({ testTimeout: 60_000 });

const full = { audit, metrics, stages, spec: resolvedSpec };

async function report(files: Parameters<typeof runDirectory>[0], extras: Parameters<typeof writeReport>[1] = {}) {
  const { html } = await writeReport(await runDirectory(files), extras);
  const text = await readFile(html, 'utf8');
  return { text, plain: text.replaceAll(/<style>.*?<\/style>|<svg.*?<\/svg>|<[^>]*>/gs, ' ').replaceAll(/\s+/g, ' ') };
}

describe('the report of a finished run', async () => {
  const { text, plain } = await report({ ...full, quarantine: ['step-000030.e1'], interruptions }, { ledger });

  it('opens with the verdict and what it means', () => {
    expect(text).toContain('<title>PASS: demo (gavel report)</title>');
    expect(plain).toContain('By the gates that were set, the grader may be used in the judge’s place');
    expect(plain).toContain('3 of 3 gates cleared.');
  });

  it('fetches nothing and runs no script', () => {
    expect(text).not.toMatch(/<script|<link|<img|<iframe|@import|url\(/i);
    expect(text.match(/(?:src|href)="(?!#)[^"]*"/g)).toBeNull();
    expect(text).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });

  it('names and describes every drawing for a reader who cannot see it', () => {
    const drawings = text.match(/<svg viewBox[^>]*>(?:<title[^>]*>[^<]+<\/title><desc[^>]*>[^<]+<\/desc>)?/g) ?? [];
    expect(drawings.length).toBeGreaterThanOrEqual(8);
    for (const drawing of drawings) expect(drawing).toMatch(/role="img".*<title.*<desc/);
    const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('draws no value that could not be computed', () => {
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('shows the policy before and after with the interval of the gain', () => {
    expect(plain).toMatch(/right answers before +45\.5% 39\.3% to 51\.7%/);
    expect(plain).toMatch(/right answers after +72\.0%/);
    expect(plain).toMatch(/gain +\+26\.5 points \+19\.1 to \+33\.9 points/);
    expect(plain).toContain('The policy learned: 26.5 points more right answers.');
  });

  it('tells what was interrupted, what was lost and what was set aside', () => {
    expect(plain).toContain('3 interruptions; 7 training steps had to be repeated');
    expect(plain).toContain('killed by signal 9');
    expect(plain).toMatch(/3 traces of committed rollouts are missing from the +ledger/);
    expect(plain).toContain('step-000030.e1 : Expected model.safetensors to be 3252224 bytes, got 1048576.');
  });

  it('counts the cost and gives the spec to run again', () => {
    expect(plain).toContain('calls paid for 3,972');
    expect(plain).toContain('rubric: examples/rubrics/poly-easy.yaml');
  });
});

describe('a report with parts missing', () => {
  it('says of a failed run why there is no verdict and shows the training that there was', async () => {
    const { plain, text } = await report(
      { metrics: metrics.slice(0, 20), spec: resolvedSpec },
      { failure: 'judge away for 1800 s' },
    );
    expect(plain).toContain('NO VERDICT');
    expect(plain).toContain('The run failed: judge away for 1800 s');
    expect(plain).toContain('Not measured: the run has no audit');
    expect(text).toContain('Reward, judge’s value and verifier accuracy over training steps');
  });

  it('says what it would need to know whether the policy learned', async () => {
    const unmeasured = withRecords((one) => (one.id.startsWith('policy.') ? null : one));
    const { plain } = await report({ ...full, audit: unmeasured });
    expect(plain).toContain('Not measured: it needs what policy needs.');
  });

  it('is written for a run directory that holds nothing yet', async () => {
    const { plain } = await report({});
    expect(plain).toContain('The audit has not been made yet');
    expect(plain).toContain('spec.json is missing or unreadable');
  });

  it('says which file does not meet its contract', async () => {
    const { plain } = await report({ ...full, audit: { ...audit, rows: -1 } });
    expect(plain).toContain('Expected audit.json to meet its contract, got at rows');
  });
});

it('says whether answers stood in a frame, and how often control tokens were broken up', async () => {
  const framed = (frame: string) => report({ ...full, rubric: rubricWith(frame) }, { ledger });
  const digest = await framed('digest');
  expect(digest.plain).toContain('Each answer stood between two lines with a mark');
  expect(digest.plain).toContain('That was done in 12 of the judge’s');
  const none = await framed('none');
  expect(none.text).toMatch(/class="warning">Answers stood in the judge’s messages without a frame/);
});

function rubricWith(frame: string) {
  const messages = [{ role: 'user', content: '{{prompt}} {{completion}} {{frame}}' }];
  const scores = Object.fromEntries([...'0123456789'].map((digit) => [digit, digit]));
  return { name: 'r', frame, scores, modes: { reasoned: { messages }, single_token: { messages } } };
}

it('escapes markup that specs, errors and files of a run may hold', async () => {
  const hostile = '<img src=x onerror=alert(1)>';
  const spec = { ...resolvedSpec, policy: { model: hostile } };
  const { text } = await report(
    { ...full, spec, interruptions: interruptions.map((one) => ({ ...one, message: hostile, stage: hostile })) },
    { failure: hostile },
  );
  expect(text).not.toContain('<img');
  expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;');
});

it('keeps of two lines about one step the one of the newer epoch', () => {
  const line = (epoch: number, step: number, reward: number) =>
    JSON.stringify({ stage: 'grpo', epoch, step, at: 't', metrics: { reward } });
  const problems: string[] = [];
  const lines = newestLines([line(2, 2, 0.9), line(1, 1, 0.1), line(1, 2, 0.2), '{"torn'].join('\n'), problems);
  expect(lines.map(({ step, metrics }) => [step, metrics.reward])).toEqual([
    [1, 0.1],
    [2, 0.9],
  ]);
  expect(problems).toEqual(['1 line(s) of report/metrics.jsonl could not be read and were left out.']);
});

it('says how old the weights were that servers sampled from, and how far apart the probabilities were', async () => {
  const served = metrics.map((line, index) => {
    const sampled = { staleness: index === 0 ? 0 : 1, sampling_ratio_mean: index === 0 ? 1 : 0.9 };
    return { ...line, metrics: { ...line.metrics, ...sampled } };
  });
  const { plain } = await report({ ...full, metrics: served });
  expect(plain).toContain('lacked 0.98 updates on average, and 1 at most.');
  expect(plain).toContain('was 0.902 on average, with step means from 0.900 to 1.000.');
  expect((await report(full)).plain).not.toContain('Servers sampled the rollouts');
});

it('lists the alarms of the training', async () => {
  const raised = { at: '2026-05-04T10:05:00.000Z', stage: 'grpo', epoch: 1, step: 12, alarm: 'sampler_drift' as const };
  const { plain } = await report({ ...full, alarms: [{ ...raised, message: 'the probabilities were far apart' }] });
  expect(plain).toContain('Step 12: the probabilities were far apart.');
  expect((await report(full)).plain).not.toContain('Alarms');
});

it('warns of reward hacking where the judge is pleased while the truth falls', async () => {
  const hacked = metrics.map((line) => ({
    ...line,
    metrics: { ...line.metrics, verifier_accuracy: 0.8 - line.step / 200 },
  }));
  expect((await report({ ...full, metrics: hacked })).plain).toContain('a sign of reward hacking.');
  expect((await report(full)).plain).not.toContain('a sign of reward hacking.');
});
