import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { relative } from 'node:path';
import { Audit } from '../../contracts/audit.ts';
import type { LiveProcess } from '../../contracts/status.ts';
import { isAlive } from '../../process/stat.ts';
import { newestLines } from '../../report/read-run.ts';
import { latestAlarms, readAlarms } from '../../run-directory/alarms.ts';
import { readSpec } from '../../run-directory/create-run.ts';
import { newestEpoch, readEpoch, readHead } from '../../run-directory/epoch-records.ts';
import { readContractIfAny } from '../../run-directory/files.ts';
import { readInterruptions, totalsOf } from '../../run-directory/interruptions.ts';
import type { RunPaths } from '../../run-directory/paths.ts';
import { readOutcome, readResult } from '../../run-directory/result.ts';
import { readEndpoint } from '../../serving/endpoints.ts';
import { emptyView, type RunView, STAGES, type Stage } from './run-view.ts';

/** What the run directory alone says; null where there is no such run on this machine. */
export async function viewFromDisk(paths: RunPaths): Promise<RunView | null> {
  if (!existsSync(paths.dir)) return null;
  const view = emptyView(paths.run);
  for (const stage of STAGES) await readStage(paths, stage, view);
  await readMetrics(paths, view);
  view.interruptions = totalsOf(await readInterruptions(paths.report.interruptions).catch(() => []));
  view.alarms = latestAlarms(await readAlarms(paths.report.alarms).catch(() => []));
  view.processes = await processesOnDisk(paths);
  const audit = await readContractIfAny(paths.report.audit, Audit).catch(() => null);
  view.verdict = audit?.verdict ?? null;
  view.report = existsSync(paths.report.html) ? relative(paths.root, paths.report.html) : null;
  const current = STAGES.find((stage) => view.stages[stage].state !== 'done');
  view.stage = current ?? (view.report ? 'done' : 'report');
  if (current === 'grpo' && view.stages.grpo.epoch === null) view.stage = 'prepare';
  return view;
}

async function readStage(paths: RunPaths, name: Stage, view: RunView): Promise<void> {
  const stage = view.stages[name];
  const result = await readResult(paths, name).catch(() => null);
  if (result) {
    Object.assign(stage, { state: 'done', step: result.step, total: result.step, checkpoint: result.checkpoint });
    Object.assign(stage, { metrics: result.metrics, epoch: result.epoch });
    return;
  }
  stage.epoch = await newestEpoch(paths, name);
  if (stage.epoch === null) return;
  const outcome = await readOutcome(paths, name, stage.epoch).catch(() => null);
  const stopped = outcome !== null && !['done', 'preempted'].includes(outcome.status);
  stage.state = stopped ? 'failed' : 'running';
  if (stopped) view.failure = `${name}: ${outcome.message}`;
  stage.total = await stepsOf(paths, name);
  for (let epoch = stage.epoch; epoch > 0 && stage.checkpoint === null; epoch -= 1) {
    const head = await readHead(paths, name, epoch);
    if (head) Object.assign(stage, { step: head.step, checkpoint: head.checkpoint });
  }
}

async function stepsOf(paths: RunPaths, name: Stage): Promise<number> {
  if (name !== 'grpo') return 0;
  const spec = await readSpec(paths).catch(() => null);
  return spec?.grpo.steps ?? 0;
}

async function readMetrics(paths: RunPaths, view: RunView): Promise<void> {
  const text = await readFile(paths.report.metrics, 'utf8').catch(() => null);
  for (const line of newestLines(text)) {
    if (line.stage === 'serve') continue;
    const stage = view.stages[line.stage];
    if (stage.state === 'done') continue;
    stage.metrics = { ...stage.metrics, ...line.metrics };
    stage.step = Math.max(stage.step, line.step);
  }
}

/** The endpoint file of a model that a stage has served. */
const MODEL_SERVER = /^(judge|grader|base|policy-\d+)\.json$/;

/** Processes of this machine that the run directory names and that live: endpoints, and the worker of the newest epoch. */
async function processesOnDisk(paths: RunPaths): Promise<LiveProcess[]> {
  const here = hostname();
  const found: LiveProcess[] = [];
  for (const stage of STAGES) {
    const epoch = await newestEpoch(paths, stage);
    const record = epoch === null ? null : await readEpoch(paths, stage, epoch);
    const done = await readResult(paths, stage).catch(() => null);
    if (record && !done && isAlive(record.pid)) found.push({ role: 'worker', pid: record.pid, host: here, epoch });
    const gateway = await readEndpoint(paths, `gateway-${stage}`).catch(() => null);
    if (gateway?.pid && gateway.host === here && isAlive(gateway.pid)) {
      found.push({ role: 'gateway', pid: gateway.pid, host: here, epoch });
    }
  }
  for (const name of (await readdir(paths.endpoints).catch(() => [])).sort()) {
    const served = MODEL_SERVER.exec(name)?.[1];
    const endpoint = served === undefined ? null : await readEndpoint(paths, served).catch(() => null);
    if (endpoint?.pid && endpoint.host === here && isAlive(endpoint.pid)) {
      found.push({ role: 'vllm', pid: endpoint.pid, host: here, epoch: null });
    }
  }
  return found;
}
