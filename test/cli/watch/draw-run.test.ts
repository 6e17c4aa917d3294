import { Chalk } from 'chalk';
import { describe, expect, it } from 'vitest';
import { plainLine, stageLine, statusText } from '../../../src/cli/watch/draw-run.ts';
import { emptyView, type RunView, type StageView } from '../../../src/cli/watch/run-view.ts';
import { eventsBetween } from '../../../src/cli/watch/watch-run.ts';
import type { Interruption } from '../../../src/contracts/interruption.ts';
import { totalsOf } from '../../../src/run-directory/interruptions.ts';

const plain = new Chalk({ level: 0 });

const training: StageView = {
  state: 'running',
  phase: 'train',
  step: 30,
  total: 60,
  part: null,
  metrics: { reward: 0.614, verifier_accuracy: 0.72, kl: 0.01 },
  checkpoint: 'step-000030.e1',
  epoch: 1,
  waiting: null,
};

function view(change: Partial<RunView> = {}, grpo: Partial<StageView> = {}): RunView {
  const base = emptyView('my-run');
  return {
    ...base,
    state: 'running',
    stage: 'grpo',
    ...change,
    stages: { ...base.stages, grpo: { ...training, ...grpo } },
  };
}

describe('a stage as a line', () => {
  it('shows how far it is and its figures', () => {
    const line = stageLine('grpo', training, { paint: plain });
    expect(line).toBe(`GRPO   ${'█'.repeat(12)}${'░'.repeat(12)}     30/60  train  reward 0.61  verifier 72%`);
  });

  it('counts a phase that is not training by itself', () => {
    const line = stageLine('grpo', { ...training, phase: 'sample', part: { step: 100, total: 400 } }, { paint: plain });
    expect(line).toContain('100/400  sample');
  });

  it('says what it waits for and for how long', () => {
    const waiting = { ...training, state: 'waiting' as const, waiting: { for: 'judge', seconds: 12.4 } };
    expect(stageLine('grpo', waiting, { paint: plain })).toContain('waiting for judge 12 s');
  });

  it('is full when done and empty when pending', () => {
    expect(stageLine('sft', { ...training, state: 'done' }, { paint: plain })).toContain('█'.repeat(24));
    expect(stageLine('sft', emptyView('x').stages.sft, { paint: plain })).toContain('░'.repeat(24));
  });

  it('never grows wider than the terminal', () => {
    expect(stageLine('grpo', training, { paint: plain, width: 60 }).length).toBeLessThanOrEqual(60);
  });

  it('holds no escape codes without colours', () => {
    expect(stageLine('grpo', training, { paint: plain })).not.toContain('\u001b');
    expect(stageLine('grpo', training, { paint: new Chalk({ level: 1 }) })).toContain('\u001b');
  });
});

const interruption: Interruption = {
  at: '2025-01-31T10:00:00Z',
  stage: 'grpo',
  epoch: 1,
  what: 'trainer',
  cause: 'preempted',
  message: 'it was killed',
  steps_lost: 3,
  seconds_to_next_commit: 9,
};

describe('a run as a plain line', () => {
  it('names stage, phase, step and figures', () => {
    expect(plainLine(view())).toBe('GRPO  train  30/60  reward 0.61  verifier 72%');
  });

  it('names what comes before and after the stages', () => {
    expect(plainLine(view({ stage: 'prepare' }))).toBe('prepare');
  });
});

describe('the status of a run', () => {
  it('lists processes, interruptions, failure and notes', () => {
    const text = statusText(
      view({
        state: 'failed',
        failure: 'the judge was away',
        processes: [{ role: 'trainer', pid: 4711, host: 'node-1', epoch: 2 }],
        interruptions: totalsOf([interruption]),
        notes: ['Temporal is not reachable'],
      }),
      plain,
    );
    expect(text).toContain('Failed: the judge was away');
    expect(text).toMatch(/trainer +4711 +node-1 +2/);
    expect(text).toContain('Interruptions: 1, steps lost: 3');
    expect(text).toContain('Note: Temporal is not reachable');
  });
});

describe('events between two looks', () => {
  it('tells an interruption once', () => {
    const before = view();
    const now = view({ interruptions: totalsOf([interruption]) });
    expect(eventsBetween(before, now)).toEqual([
      'grpo: trainer was lost (it was killed); the stage resumes from its last checkpoint',
    ]);
    expect(eventsBetween(now, now)).toEqual([]);
  });
});
