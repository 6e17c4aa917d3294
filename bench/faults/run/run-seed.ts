import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../../../src/contracts/stage.ts';
import type { Violation } from '../check/assertions.ts';
import { check } from '../check/checker.ts';
import { damagedKeys } from '../check/damaged-trace-keys.ts';
import { type Cost, costsOf, stepsOfChain } from '../check/fault-costs.ts';
import { reachedOnDisk } from '../check/rare-states.ts';
import { RunDirectory } from '../check/read-run-directory.ts';
import { replayAll } from '../check/replay-histories.ts';
import { testimonies } from '../check/undisturbed-run.ts';
import { type DisturbedRun, journalsOfSeed, runDisturbed, unmountSmall, untilOf } from './disturbed-run.ts';
import type { Plan } from './plan.ts';

/** One seed from its plan to its verdict. */

export interface SeedResult {
  seed: number;
  scenario: string;
  status: string;
  /** Faults of the plan, and those of them that struck. */
  dealt: number;
  injected: number;
  seconds: number;
  violations: Violation[];
  reached: { what: string; detail: string }[];
  costs: Cost[];
}

export interface SeedOptions {
  plan: Plan;
  folder: string;
  package_root: string;
  judge_url: string;
  keep: boolean;
  say: (line: string) => void;
}

export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const { plan, folder, package_root, keep, say } = options;
  let done: DisturbedRun | null = null;
  try {
    done = await runDisturbed(options);
    const { run } = done;
    const directory = new RunDirectory(done.root, run);
    const stages = ['grpo', 'sft', 'audit'].slice(0, 1 + ['grpo', 'sft', 'audit'].indexOf(untilOf(plan)));
    const violations: Violation[] = [];
    if (!existsSync(join(directory.dir, 'report/report.html')))
      violations.push({ assertion: 'the run completes', detail: 'it left no report' });
    if (done.status !== 'COMPLETED')
      violations.push({ assertion: 'the run completes', detail: `it ended ${done.status}` });
    const heard = done.status === 'COMPLETED' ? await witnesses(done, package_root, violations) : [];
    const events = done.log.events;
    const evidence = { root: done.root, run, stages, events, testimonies: heard, damaged: damagedKeys(folder) };
    const journals = plan.scenario === 'served' ? { journals: journalsOfSeed(folder) } : {};
    violations.push(...check({ ...evidence, ...journals }));
    const wanted = ['', ...stages.map((stage) => `/${stage}`)].map((part) => `gavel/${run}${part}`);
    violations.push(...(await replayAll(join(folder, 'histories'), package_root, wanted)));
    const chain = new Set<string>();
    for (const stage of stages) for (const step of stepsOfChain(stage, chainOf(directory, stage))) chain.add(step);
    const reached = events.flatMap((event) => (event.event === 'reached' ? [event] : []));
    const result: SeedResult = {
      seed: plan.seed,
      scenario: plan.scenario,
      status: done.status,
      dealt: plan.faults.length,
      injected: done.injected,
      seconds: done.seconds,
      violations,
      reached: [...reached.map(({ what, detail }) => ({ what, detail })), ...reachedOnDisk(directory)],
      costs: costsOf(plan.seed, events, chain),
    };
    say(
      `seed ${plan.seed}: ${done.status}, ${done.injected} of ${plan.faults.length} faults, ${violations.length} violations, ${done.seconds.toFixed(0)} s`,
    );
    for (const { assertion, detail } of violations) say(`seed ${plan.seed}: VIOLATION: ${assertion}: ${detail}`);
    return result;
  } finally {
    await unmountKeeping(folder, keep || done === null);
    if (!keep && done !== null)
      for (const name of ['root', 'witness-grpo', 'witness-sft', 'witness-audit', 'saved', 'journals'])
        rmSync(join(folder, name), { recursive: true, force: true });
  }
}

async function witnesses(done: DisturbedRun, package_root: string, violations: Violation[]) {
  try {
    return await testimonies(done, package_root);
  } catch (error) {
    violations.push({
      assertion: 'the final adapter equals the witness',
      detail: `no witness: ${(error as Error).message}`,
    });
    return [];
  }
}

/** A small filesystem takes its content with it; what is to be kept is copied out first. */
async function unmountKeeping(folder: string, keep: boolean): Promise<void> {
  const root = join(folder, 'root');
  if (keep) {
    const { execa } = await import('execa');
    await execa('cp', ['-r', join(root, 'runs'), join(root, 'runs-kept')], { reject: false });
  }
  await unmountSmall(root);
}

function chainOf(directory: RunDirectory, stage: string): Manifest[] {
  const chain = [...directory.chain(stage, directory.result(stage).result?.checkpoint ?? null)];
  return chain.flatMap(({ manifest }) => (manifest === null ? [] : [manifest])).reverse();
}
