import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Violation } from '../../../bench/faults/check/assertions.ts';
import { check } from '../../../bench/faults/check/checker.ts';
import {
  adapterOf,
  runUndisturbed,
  type Testimony,
  undisturbedRun,
  verdictsOf,
} from '../../../bench/faults/check/undisturbed-run.ts';
import { EventLog } from '../../../bench/faults/observe/event-log.ts';
import { Observer } from '../../../bench/faults/observe/observer.ts';
import { processesOf, trainersOf } from '../../../bench/faults/observe/processes.ts';
import { smallSpec } from '../../../bench/faults/run/small-spec.ts';
import { type Config, loadConfig } from '../../../src/config.ts';
import type { Spec } from '../../../src/contracts/spec/spec.ts';
import type { StageResult } from '../../../src/contracts/stage.ts';
import type { Failpoint } from '../../../src/failpoints.ts';
import { canonicalRubric, loadRubric } from '../../../src/judging/rubric.ts';
import { createRun } from '../../../src/run-directory/create-run.ts';
import { type RunPaths, runPaths } from '../../../src/run-directory/paths.ts';
import { readResult } from '../../../src/run-directory/result.ts';
import { judgeGateway } from '../../../src/stage/gateway-settings.ts';
import { runStage } from '../../../src/stage/run-stage.ts';
import type { StageRun } from '../../../src/stage/stage-run.ts';
import { type Behaviour, FakeJudge } from '../../gateway/fake-judge.ts';

/** A disturbed run in seconds: epochs, gateway, ledger, commits and result are real, and perhaps broken; judge and tensors are not. */

const RUN = 'mini';
const package_root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

export class MiniRun {
  readonly folder = mkdtempSync(join(tmpdir(), 'gavel-mini-'));
  readonly root = join(this.folder, 'root');
  readonly paths: RunPaths = runPaths(this.root, RUN);
  readonly log: EventLog;
  private readonly judge: FakeJudge;
  private readonly observer: Observer;
  private readonly held = join(this.root, 'hold');
  private readonly failpoints: readonly Failpoint[];
  private spec!: Spec;

  constructor(failpoints: readonly Failpoint[], behave: (n: number) => Behaviour = () => ({ text: 'Fine. Score: 7' })) {
    this.failpoints = failpoints;
    mkdirSync(this.root, { recursive: true });
    this.log = new EventLog(join(this.folder, 'events.jsonl'));
    this.judge = new FakeJudge((_, n) => behave(n));
    this.observer = new Observer(this.log, this.root, RUN);
    // Trainers record what they made durable before they published it.
    process.env.PYTHONPATH = join(package_root, 'bench/faults/observe/record-trainer');
  }

  async open(steps = 6): Promise<this> {
    await this.judge.start();
    const spec = smallSpec({ run: RUN, scenario: 'outside', seed: 0, steps, judge_url: this.judge.url });
    this.spec = { ...spec, grpo: { ...spec.grpo, save_every: 2, num_generations: 2 } };
    // A model that is no folder would be one of the hub, without the revision that such a model needs.
    symlinkSync(join(package_root, 'models'), join(this.root, 'models'));
    await createRun(this.root, this.spec, { namespace: 'n', namespace_id: 'i', workflow_id: 'w', run_id: 'r' });
    writeFileSync(
      this.paths.rubric,
      canonicalRubric(loadRubric(join(package_root, 'examples/rubrics/poly-easy.yaml'))),
    );
    for (const path of [this.paths.data.train, this.paths.data.eval, this.paths.data.audit]) writeFileSync(path, '');
    this.observer.start();
    return this;
  }

  config(node: string): Config {
    return {
      ...loadConfig(),
      root: this.root,
      node,
      python: miniPython(this.folder),
      gpus: null,
    };
  }

  /** One attempt at the stage, with the failpoints switched on; rejects as the activity would. */
  async attempt(node = 'a', reservation = 'r.1', change: Partial<StageRun> = {}): Promise<StageResult> {
    process.env.GAVEL_FAILPOINTS = this.failpoints.join(',');
    return runStage({
      config: this.config(node),
      spec: this.spec,
      stage: 'grpo',
      gpus: [],
      owner: null,
      reservation,
      signal: new AbortController().signal,
      grace_ms: () => 0,
      ended: () => new Error('ended'),
      beat: () => undefined,
      onCommit: () => undefined,
      onInterruption: () => undefined,
      onAlarm: () => undefined,
      gateway: judgeGateway.bind(null, this.config(node), this.spec),
      secrets: {},
      ...change,
    });
  }

  trainer(epoch: number): number | undefined {
    return trainersOf(processesOf(this.root)).find((one) => one.epoch === epoch)?.pid;
  }

  gateway(epoch: number): number | undefined {
    return processesOf(this.root).find(({ tag }) => tag?.endsWith(`/e${epoch}/gateway`))?.pid;
  }

  /** Trainers wait at the end of this step, before its commit, until they are let go; one that waited at another step goes on. */
  hold(step: number): void {
    writeFileSync(this.held, String(step));
  }

  letGo(): void {
    rmSync(this.held, { force: true });
  }

  /** Waits until step `step` of epoch `epoch` was seen. */
  async untilStep(epoch: number, step: number): Promise<void> {
    const seen = await this.log.next('step', (event) => event.epoch === epoch && event.step >= step, {
      from: 0,
      timeout_ms: 60_000,
    });
    if (!seen) throw new Error(`step ${step} of epoch ${epoch} never came`);
  }

  async kill(pid: number | undefined): Promise<void> {
    if (pid === undefined) throw new Error('there is nothing to kill');
    process.kill(pid, 'SIGKILL');
    await sleep(50);
  }

  /** What the checker says of it; with a witness where one is asked for. */
  async verdict({ witness = false } = {}): Promise<Violation[]> {
    await sleep(100);
    this.observer.stop();
    const testimonies = witness ? [await this.testimony()] : [];
    const { root, log } = this;
    return check({ root, run: RUN, stages: ['grpo'], events: log.events, testimonies, damaged: new Set() });
  }

  async close(): Promise<void> {
    this.observer.stop();
    delete process.env.PYTHONPATH;
    delete process.env.GAVEL_FAILPOINTS;
    await this.judge.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async testimony(): Promise<Testimony> {
    const traces = [...verdictsOf(this.paths).values()];
    const undisturbed = await undisturbedRun(
      { folder: this.folder, root: this.root, run: RUN },
      package_root,
      'witness',
      traces,
    );
    delete process.env.GAVEL_FAILPOINTS;
    const result = await runUndisturbed(this.config('witness'), undisturbed, 'grpo');
    const disturbed = await readResult(this.paths, 'grpo');
    return {
      what: 'grpo adapter',
      disturbed: adapterOf(this.paths, disturbed),
      undisturbed: adapterOf(undisturbed, result),
    };
  }
}

/** A `python` that runs the trainer without tensors in place of stage grpo. */
function miniPython(folder: string): string {
  const path = join(folder, 'mini-python');
  const python = join(package_root, '.venv/bin/python');
  const trainer = join(package_root, 'test/faults/check/mini_trainer.py');
  writeFileSync(path, `#!/bin/sh\nshift\nexec '${python}' '${trainer}' "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}
