import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ALWAYS, type Assertion } from '../../bench/faults/checker.ts';
import { leftovers } from '../../bench/faults/leftovers.ts';
import { clearStop, requestStop } from '../../src/run-directory/stop.ts';
import type { Behaviour } from '../gateway/fake-judge.ts';
import { type Breakage, brokenTree, removeTree } from './broken-tree.ts';
import { MiniStorm } from './mini-storm.ts';

/** A checker that never fails checks nothing: each assertion is shown a build that breaks it, and the build as it is. */

const open: MiniStorm[] = [];
afterEach(async () => {
  for (const storm of open.splice(0)) await storm.close();
});

async function storm(breakages: Breakage[], behave?: (n: number) => Behaviour): Promise<MiniStorm> {
  const made = new MiniStorm(breakages, behave);
  open.push(made);
  return made.open();
}

/** The trainer is killed in the middle of a save interval; a second attempt ends the stage. */
async function killed(made: MiniStorm): Promise<void> {
  made.hold(3);
  const first = made.attempt().catch(() => null);
  await made.untilStep(1, 3);
  await made.kill(made.trainer(1));
  made.letGo();
  await first;
  await made.attempt();
}

/** A second attempt, on another node, takes over from a first that knows nothing of it. */
async function takenOver(made: MiniStorm): Promise<void> {
  made.hold(1);
  const zombie = made.attempt('a').catch(() => null);
  await made.untilStep(1, 1);
  const second = made.attempt('b').catch(() => null);
  await vi.waitFor(() => expect(existsSync(made.paths.stage('grpo').epoch(2).record)).toBe(true), { timeout: 60_000 });
  made.letGo();
  await Promise.all([zombie, second]);
}

/** The gateway is killed a moment after the trainer has got verdicts from it. */
async function gatewayKilled(made: MiniStorm): Promise<void> {
  made.hold(1);
  const attempt = made.attempt();
  for (const step of [1, 2, 3]) {
    await made.untilStep(1, step);
    await made.kill(made.gateway(1));
    made.hold(step + 1);
  }
  made.letGo();
  await attempt;
}

/** The attempt is asked to stop after a step that is not committed; a second attempt ends the stage. */
async function asked(made: MiniStorm): Promise<void> {
  made.hold(3);
  const first = made.attempt().catch(() => null);
  await made.untilStep(1, 3);
  const fault = { stage: 'grpo', epoch: 1, step: 3, committed: 2, detail: '' } as const;
  made.log.add({ event: 'fault', id: 1, kind: 'preemptionNotice', ...fault });
  await requestStop(made.paths, 'grpo', 'a test asks');
  await first;
  made.letGo();
  await clearStop(made.paths, 'grpo');
  await made.attempt();
}

/** As `killed`, late, and with the fault in the log: what was lost is counted from there. */
async function killedLate(made: MiniStorm): Promise<void> {
  made.hold(5);
  const first = made.attempt().catch(() => null);
  await made.untilStep(1, 5);
  const fault = { stage: 'grpo', epoch: 1, step: 5, committed: 4, detail: '' } as const;
  made.log.add({ event: 'fault', id: 1, kind: 'trainer killed', ...fault });
  await made.kill(made.trainer(1));
  made.letGo();
  await first;
  await made.attempt();
}

const checkpoints = 'python/gavel_train/checkpoints.py';
const directory = 'python/gavel_train/run_directory.py';
const fence: Breakage = {
  file: directory,
  from: '    newest = newest_epoch(stage_dir)\n    if newest > epoch:',
  to: '    newest = newest_epoch(stage_dir)\n    if False:',
};
const ledgerBlind: Breakage[] = [
  {
    file: 'src/gateway/ledger.ts',
    from: 'find(key: string): Trace | null {',
    to: 'find(key: string): Trace | null {\n    if (key) return null;',
  },
  { file: 'src/gateway/ledger.ts', from: ' || this.#index.has(trace.key)', to: '' },
];

interface Case {
  assertion: Assertion;
  build: string;
  breakages: Breakage[];
  scenario: (made: MiniStorm) => Promise<void>;
  witness?: boolean;
  behave?: (n: number) => Behaviour;
}

const cases: Case[] = [
  {
    assertion: 'nothing from a stale epoch counts',
    build: 'the fence is off',
    breakages: [fence],
    scenario: takenOver,
  },
  {
    assertion: 'one result a stage',
    build: 'the fence is off and a result replaces another',
    breakages: [
      fence,
      { file: directory, from: '        os.link(complete, final)', to: '        os.replace(complete, final)' },
    ],
    scenario: takenOver,
  },
  {
    assertion: 'committed steps strictly increase along the chain',
    build: 'the manifest says another step',
    breakages: [
      {
        file: checkpoints,
        from: '        step=step,\n        parent',
        to: '        step=min(step, 2),\n        parent',
      },
    ],
    scenario: killed,
  },
  {
    assertion: 'every published file matches its digest',
    build: 'a file is written after its digest was taken',
    breakages: [
      {
        file: checkpoints,
        from: '    work.rename(target)\n',
        to: '    (work / "rollouts.jsonl").open("a").write("\\n")\n    work.rename(target)\n',
      },
    ],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'a commit is durable before it is published',
    build: 'files are not fsynced',
    breakages: [{ file: checkpoints, from: '            fsync_path(path)\n', to: '' }],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'a commit is durable before it is published',
    build: 'HEAD comes before the fsync of what it names',
    breakages: [{ file: checkpoints, from: '    fsync_path(checkpoints)\n', to: '' }],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'each trace key once',
    build: 'the gateway does not look into the ledger',
    breakages: ledgerBlind,
    scenario: killed,
  },
  {
    assertion: 'each rollout has a trace of its own in the ledger',
    build: 'the key holds no occasion',
    breakages: [
      {
        file: 'src/gateway/key.ts',
        from: 'occasion: string): string {',
        to: 'occasion_: string): string {\n  const occasion = occasion_.slice(0, 0);',
      },
    ],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'each rollout has a trace of its own in the ledger',
    build: 'the verdict is out before its trace is written',
    breakages: [
      {
        file: 'src/gateway/grade.ts',
        from: '    await this.#ledger.append(trace);',
        to: '    setTimeout(() => void this.#ledger.append(trace).catch(() => {}), 10_000);',
      },
    ],
    scenario: gatewayKilled,
  },
  {
    assertion: 'no more steps are lost than is allowed',
    build: 'every attempt begins afresh',
    breakages: [
      {
        file: 'src/run-directory/epochs.ts',
        from: '  let next = await tipOfChain(paths, name, before - 1);',
        to: '  let next = await tipOfChain(paths, name, 0);',
      },
    ],
    scenario: killedLate,
  },
  {
    assertion: 'no completed step is lost after a notice',
    build: 'the trainer gets no time to commit',
    breakages: [{ file: 'src/stage/watch-trainer.ts', from: 'STOP_GRACE_MS = 20_000', to: 'STOP_GRACE_MS = 0' }],
    scenario: asked,
  },
  {
    assertion: 'the final adapter equals the witness',
    build: 'a replayed step asks the judge again',
    breakages: ledgerBlind,
    scenario: killed,
    witness: true,
    // A judge that never says the same twice.
    behave: (n) => ({ text: `Fine. Score: ${n % 10}` }),
  },
];

describe('the checker', () => {
  it.each([
    ['killed', killed],
    ['taken over', takenOver],
    ['gateway killed', gatewayKilled],
    ['asked to stop', asked],
    ['killed late', killedLate],
  ])('finds nothing wrong with the build as it is (%s)', async (_, scenario) => {
    const made = await storm([], (n) => ({ text: `Fine. Score: ${n % 10}` }));
    await scenario(made);
    expect(await made.verdict({ witness: true })).toEqual([]);
  });

  it.each(cases)('says "$assertion" where $build', async ({ assertion, breakages, scenario, witness, behave }) => {
    const made = await storm(breakages, behave);
    await scenario(made).catch(() => undefined);
    const found = await made.verdict({ witness: witness ?? false });
    expect(found.map((violation) => violation.assertion)).toContain(assertion);
  });

  it('says "no child process left over" where the gateway does not end with its worker', async () => {
    const lifeline = "  process.stdin.on('end', stop).on('error', stop).resume();\n";
    expect(await afterItsWorker([], 30)).toEqual([]);
    const found = await afterItsWorker([{ file: 'src/gateway/main.ts', from: lifeline, to: '' }], 3);
    expect(found.map(({ assertion }) => assertion)).toContain('no child process left over');
  });

  it('says "no port left over" where the gateway listens on when its stage is done', async () => {
    const stop = '      await current.child.stop(STOP_GRACE_MS);\n      await watching;\n';
    expect(await portsAfter([])).toEqual([]);
    const found = await portsAfter([{ file: 'src/stage/gateway-child.ts', from: stop, to: '' }]);
    expect(found).toContain('no port left over');
  });

  it('says "no GPU lease left over" where leases are not given back', async () => {
    const forgetful = {
      file: 'src/gpus/leases.ts',
      from: 'async function release(folder: string, owner: string) {',
      to: 'async function release(_: string, owner: string) {\n  const folder = owner;',
    };
    expect(await afterARelease([])).toEqual([]);
    expect((await afterARelease([forgetful])).map(({ assertion }) => assertion)).toContain('no GPU lease left over');
  });

  it('has a broken build for each of its assertions', () => {
    const shown = new Set<string>([
      ...cases.map(({ assertion }) => assertion),
      'no child process left over',
      'no port left over',
      'no GPU lease left over',
    ]);
    expect(ALWAYS.filter((assertion) => !shown.has(assertion))).toEqual([]);
  });
});

/** A gateway whose worker has gone: its standard input is at its end. */
async function afterItsWorker(breakages: Breakage[], allowed_s: number) {
  const folder = mkdtempSync(join(tmpdir(), 'gavel-mini-'));
  try {
    const tree = brokenTree(folder, breakages);
    const root = join(folder, 'root');
    const config = join(folder, 'gateway.json');
    const roles = { judge: { base_url: 'http://127.0.0.1:9/v1', model: 'm', mode: 'reasoned', sampling: {} } };
    writeFileSync(
      config,
      JSON.stringify({ run: 'r', run_dir: join(root, 'runs/r'), stage: 'grpo', epoch: 1, rubric: null, roles }),
    );
    const env = { ...process.env, GAVEL_API_KEY: 'k', GAVEL_TAG: `a:${root}/runs/r/grpo/e1/gateway`, GAVEL_ROOT: root };
    const gateway = spawn(process.execPath, ['--no-warnings', join(tree, 'src/gateway/main.ts'), config], { env });
    await new Promise((resolve) => gateway.stdout.once('data', resolve));
    gateway.stdin.destroy();
    const found = await leftovers(root, [], allowed_s);
    gateway.kill('SIGKILL');
    return found;
  } finally {
    removeTree(folder);
  }
}

/** What is left of a stage that has ended by itself. */
async function portsAfter(breakages: Breakage[]): Promise<string[]> {
  const made = await storm(breakages);
  await made.attempt();
  expect(made.log.of('listener').length).toBeGreaterThan(0);
  const found = await leftovers(made.root, made.log.events, 3);
  const gateway = made.gateway(1);
  if (gateway !== undefined) await made.kill(gateway);
  return found.map(({ assertion }) => assertion);
}

async function afterARelease(breakages: Breakage[]) {
  const folder = mkdtempSync(join(tmpdir(), 'gavel-mini-'));
  try {
    const tree = brokenTree(folder, breakages);
    const { leaseGpus, releaseGpus } = await import(pathToFileURL(join(tree, 'src/gpus/leases.ts')).href);
    const gpus = [{ uuid: 'GPU-a0', index: 0, name: 'given', memory_mib: 0, used_by: null }];
    await leaseGpus({ root: folder, node: 'a', count: 1, owner: 'o', gpus, isAlive: async () => true });
    await releaseGpus({ root: folder, owner: 'o' });
    return await leftovers(folder, [], 0);
  } finally {
    removeTree(folder);
  }
}
