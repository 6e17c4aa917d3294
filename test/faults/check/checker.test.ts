import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ALWAYS } from '../../../bench/faults/check/assertions.ts';
import { leftovers } from '../../../bench/faults/check/leftover-resources.ts';
import type { Failpoint } from '../../../src/failpoints.ts';
import { leaseGpus, releaseClaim } from '../../../src/gpus/leases.ts';
import type { Behaviour } from '../../gateway/fake-judge.ts';
import {
  asked,
  cases,
  gatewayKilled,
  killed,
  killedLate,
  recordsDamaged,
  takenOver,
  takenOverInVain,
} from './broken-builds.ts';
import { MiniRun } from './mini-run.ts';

/** A checker that never fails checks nothing: each assertion is shown a build that breaks it, and the build as it is. */

const package_root = fileURLToPath(new URL('../../..', import.meta.url));
const open: MiniRun[] = [];
afterEach(async () => {
  delete process.env.GAVEL_FAILPOINTS;
  for (const run of open.splice(0)) await run.close();
});

async function mini(failpoints: Failpoint[], behave?: (n: number) => Behaviour): Promise<MiniRun> {
  const made = new MiniRun(failpoints, behave);
  open.push(made);
  return made.open();
}

describe('the checker', () => {
  it.each([
    ['killed', killed],
    ['taken over', takenOver],
    ['taken over in vain', takenOverInVain],
    ['gateway killed', gatewayKilled],
    ['asked to stop', asked],
    ['killed late', killedLate],
    ['killed with damaged records', recordsDamaged],
  ])('finds nothing wrong with the build as it is (%s)', async (_, scenario) => {
    const made = await mini([], (n) => ({ text: `Fine. Score: ${n % 10}` }));
    await scenario(made);
    expect(await made.verdict({ witness: true })).toEqual([]);
  });

  it.each(cases)('says "$assertion" where $build', async ({ assertion, failpoints, scenario, witness, behave }) => {
    const made = await mini(failpoints, behave);
    await scenario(made).catch(() => undefined);
    const found = await made.verdict({ witness: witness ?? false });
    expect(found.map((violation) => violation.assertion)).toContain(assertion);
  });

  it('says "no child process left over" where the gateway does not end with its worker', async () => {
    expect(await afterItsWorker([], 30)).toEqual([]);
    const found = await afterItsWorker(['outlive-worker'], 3);
    expect(found.map(({ assertion }) => assertion)).toContain('no child process left over');
  });

  it('says "no port left over" where the gateway listens on when its stage is done', async () => {
    expect(await portsAfter([])).toEqual([]);
    const found = await portsAfter(['leave-gateway']);
    expect(found).toContain('no port left over');
  });

  it('says "no GPU lease left over" where leases are not given back', async () => {
    expect(await afterARelease([])).toEqual([]);
    expect((await afterARelease(['keep-leases'])).map(({ assertion }) => assertion)).toContain(
      'no GPU lease left over',
    );
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

/** A gateway whose worker has ended: its standard input is at its end. */
async function afterItsWorker(failpoints: Failpoint[], allowed_s: number) {
  const folder = mkdtempSync(join(tmpdir(), 'gavel-mini-'));
  try {
    const root = join(folder, 'root');
    const config = join(folder, 'gateway.json');
    const roles = { judge: { base_url: 'http://127.0.0.1:9/v1', model: 'm', mode: 'reasoned', sampling: {} } };
    writeFileSync(
      config,
      JSON.stringify({ run: 'r', run_dir: join(root, 'runs/r'), stage: 'grpo', epoch: 1, rubric: null, roles }),
    );
    const env = {
      ...process.env,
      GAVEL_API_KEY: 'k',
      GAVEL_TAG: `a:${root}/runs/r/grpo/e1/gateway`,
      GAVEL_ROOT: root,
      GAVEL_FAILPOINTS: failpoints.join(','),
    };
    const gateway = spawn(process.execPath, ['--no-warnings', join(package_root, 'src/gateway/main.ts'), config], {
      env,
    });
    await new Promise((resolve) => gateway.stdout.once('data', resolve));
    gateway.stdin.destroy();
    const found = await leftovers(root, [], allowed_s);
    gateway.kill('SIGKILL');
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is left of a stage that has ended by itself. */
async function portsAfter(failpoints: Failpoint[]): Promise<string[]> {
  const made = await mini(failpoints);
  await made.attempt();
  expect(made.log.of('listener').length).toBeGreaterThan(0);
  const found = await leftovers(made.root, made.log.events, 3);
  const gateway = made.gateway(1);
  if (gateway !== undefined) await made.kill(gateway);
  return found.map(({ assertion }) => assertion);
}

async function afterARelease(failpoints: Failpoint[]) {
  const folder = mkdtempSync(join(tmpdir(), 'gavel-mini-'));
  try {
    process.env.GAVEL_FAILPOINTS = failpoints.join(',');
    const gpus = [{ uuid: 'GPU-a0', index: 0, name: 'given', memory_mib: 0, used_by: null }];
    const owner = { kind: 'workflow' as const, namespace: 'n', namespace_id: 'i', workflow_id: 'w', run_id: 'r' };
    const claim = { root: 'root', owner, reservation: 'r.1', attempt: 1 };
    await leaseGpus({ root: folder, node: 'a', count: 1, claim, gpus, workflowRuns: async () => true });
    await releaseClaim(folder, claim);
    return await leftovers(folder, [], 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
