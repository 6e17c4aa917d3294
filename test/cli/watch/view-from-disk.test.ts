import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { viewFromDisk } from '../../../src/cli/watch/view-from-disk.ts';
import { writeEpoch } from '../../../src/run-directory/epoch-records.ts';
import { appendLine, writeAtomic } from '../../../src/run-directory/files.ts';
import type { RunPaths } from '../../../src/run-directory/paths.ts';
import { runPaths } from '../../../src/run-directory/paths.ts';
import { aRun } from '../../run-directory/a-run.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

const json = async (path: string, value: object) => {
  await mkdir(dirname(path), { recursive: true });
  await writeAtomic(path, value);
};

async function takeEpoch(paths: RunPaths, epoch: number, pid = process.pid) {
  await mkdir(paths.stage('grpo').epoch(epoch).dir, { recursive: true });
  const common = { stage: 'grpo' as const, epoch, node: 'here', pid, started_at: new Date().toISOString() };
  await writeEpoch(paths, { ...common, owner: null, starts_from: null, accepted_segments: {}, missing_traces: 0 });
}

const metricLine = (step: number, epoch: number, reward: number) => ({
  ...{ stage: 'grpo', epoch, step, at: new Date().toISOString() },
  metrics: { reward },
});

describe('a run seen from its directory alone', () => {
  it('is null where there is none', async () => {
    expect(await viewFromDisk(runPaths(temporaryFolder('test'), 'nothing'))).toBeNull();
  });

  it('is preparing before any stage has begun', async () => {
    expect(await viewFromDisk(await aRun())).toMatchObject({ stage: 'prepare', processes: [], verdict: null });
  });

  it('shows step, checkpoint and figures of the stage that goes on', async () => {
    const paths = await aRun();
    await takeEpoch(paths, 1);
    const head = { checkpoint: 'step-000002.e1', step: 2, manifest_sha256: 'a'.repeat(64) };
    await json(paths.stage('grpo').epoch(1).head, head);
    await mkdir(paths.report.dir, { recursive: true });
    await appendLine(paths.report.metrics, metricLine(3, 1, 0.25));
    const view = await viewFromDisk(paths);
    expect(view?.stage).toBe('grpo');
    expect(view?.stages.grpo).toMatchObject({
      ...{ state: 'running', step: 3, epoch: 1, checkpoint: 'step-000002.e1' },
      metrics: { reward: 0.25 },
    });
  });

  it('keeps the checkpoint of an older epoch until the newer one commits', async () => {
    const paths = await aRun();
    await takeEpoch(paths, 1);
    const head = { checkpoint: 'step-000002.e1', step: 2, manifest_sha256: 'a'.repeat(64) };
    await json(paths.stage('grpo').epoch(1).head, head);
    await takeEpoch(paths, 2);
    expect((await viewFromDisk(paths))?.stages.grpo).toMatchObject({ epoch: 2, checkpoint: 'step-000002.e1', step: 2 });
  });

  it('lists only processes of this machine that live', async () => {
    const paths = await aRun();
    await takeEpoch(paths, 1);
    const endpoint = (role: string, pid: number, host = hostname()) =>
      json(paths.endpoint(role), {
        ...{ role, base_url: 'http://127.0.0.1:1/v1', model: 'm', model_digest: null, api_key_env: null },
        ...{ pid, host, started_at: new Date().toISOString() },
      });
    await endpoint('judge', process.pid);
    await endpoint('policy-1', process.pid);
    await endpoint('base', 2 ** 22 + 1);
    await endpoint('grader', process.pid, 'another-host');
    const roles = (await viewFromDisk(paths))?.processes.map(({ role, pid }) => [role, pid]);
    expect(roles).toEqual([
      ['worker', process.pid],
      ['vllm', process.pid],
      ['vllm', process.pid],
    ]);
  });

  it('says why a stage failed', async () => {
    const paths = await aRun();
    await takeEpoch(paths, 1);
    await json(paths.stage('grpo').epoch(1).outcome, { status: 'judge_away', message: 'away for 1800 s', field: null });
    const view = await viewFromDisk(paths);
    expect(view?.stages.grpo.state).toBe('failed');
    expect(view?.failure).toBe('grpo: away for 1800 s');
  });

  it('survives a damaged file', async () => {
    const paths = await aRun();
    await takeEpoch(paths, 1);
    await mkdir(paths.report.dir, { recursive: true });
    await writeFile(paths.report.metrics, 'not json\n');
    await writeFile(paths.report.audit, '{');
    expect((await viewFromDisk(paths))?.verdict).toBeNull();
  });
});
