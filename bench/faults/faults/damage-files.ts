import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRootId } from '../../../src/run-directory/root.ts';
import { taskQueue } from '../../../src/temporal/task-queues.ts';
import { tracesIn } from '../check/read-ledger.ts';
import type { FaultContext } from '../run/fault-context.ts';
import { lastStage } from '../run/small-spec.ts';
import { damage } from './damage-file.ts';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';

/** Files are flipped, cut, taken away, and a disk runs full. */

/** Damages the newest committed checkpoint, then kills the trainer: the next attempt finds it. */
async function damagedCheckpoint(context: FaultContext) {
  const pid = await context.untilTrainer();
  process.kill(pid, 'SIGSTOP');
  const folder = join(context.paths.stage(context.stage).checkpoints, newestCheckpoint(context));
  const files = readdirSync(folder).filter((name) => /\.(safetensors|pt|pth|json|jsonl)$/.test(name));
  const what = damage(join(folder, context.random.pick(files)), context.random);
  const fault = context.strikes(`${basename(folder)}: ${what}; SIGKILL to trainer ${pid}`);
  const from = context.log.events.length;
  process.kill(pid, 'SIGKILL');
  const next = await context.log.next('epoch', ({ at }) => at > fault.at, { from, timeout_ms: 60_000 });
  if (next && next.resumed_step < fault.committed) {
    context.reached(
      'fallback to an older checkpoint',
      `${basename(folder)} was damaged; ${next.starts_from ?? 'the start'} was used`,
    );
  }
  return {};
}

function newestCheckpoint(context: FaultContext): string {
  const commit = context.log.of('commit').findLast(({ stage }) => stage === context.stage);
  if (!commit) throw new Error('there is no checkpoint to damage');
  return commit.checkpoint;
}

/** Damages a segment of the ledger, then kills the trainer. The original is kept: its verdicts were used. */
async function damagedLedger(context: FaultContext) {
  const pid = await context.untilTrainer();
  process.kill(pid, 'SIGSTOP');
  const segments = readdirSync(context.paths.traces).filter((name) => name.endsWith('.jsonl'));
  const name = context.random.pick(segments.filter((each) => statSync(join(context.paths.traces, each)).size > 0));
  mkdirSync(context.saved, { recursive: true });
  cpSync(join(context.paths.traces, name), join(context.saved, `${Date.now()}-${name}`));
  const whole = keysOf(join(context.paths.traces, name));
  const what = damage(join(context.paths.traces, name), context.random);
  const left = new Set(keysOf(join(context.paths.traces, name)));
  const lost = whole.filter((key) => !left.has(key));
  writeFileSync(join(context.saved, `${Date.now()}-${name}.lost`), JSON.stringify(lost));
  context.strikes(`${what}; SIGKILL to trainer ${pid}`);
  process.kill(pid, 'SIGKILL');
  return {};
}

/** Keys of the traces whose lines are as they were written. */
function keysOf(path: string): string[] {
  return existsSync(path)
    ? tracesIn(readFileSync(path), basename(path), { numbered: false }).traces.map(({ key }) => key)
    : [];
}

/** Fills the filesystem of the runs for some seconds, in which saves fail, then frees it. */
async function fullDisk(context: FaultContext) {
  await context.untilTrainer();
  const fill = join(context.cluster.root, 'runs', '.fill');
  const file = openSync(fill, 'w');
  context.strikes('the filesystem of the runs is full');
  const block = Buffer.alloc(1 << 20);
  for (let size = block.length; size >= 1; ) {
    try {
      if (writeSync(file, block, 0, size) < size) size = Math.floor(size / 2);
    } catch {
      size = Math.floor(size / 2);
    }
  }
  closeSync(file);
  await sleep(context.random.between(4000, 8000));
  rmSync(fill);
  return {};
}

/** Half of a result: the stage is asked for again after a cancel and must not believe it. */
async function halfResult(context: FaultContext) {
  const { result } = context.paths.stage('grpo');
  const handle = await context.handle();
  context.strikes('grpo/result.json cut in the middle; the run is cancelled and resumed');
  await handle.cancel();
  await handle.result().catch(() => undefined);
  const text = readFileSync(result);
  writeFileSync(result, text.subarray(0, Math.floor(text.length / 2)));
  await resume(context);
  return {};
}

/** Starts the pipeline again on the run directory that is there. */
export async function resume(context: FaultContext): Promise<void> {
  const client = await context.cluster.client();
  const spec = JSON.parse(readFileSync(context.paths.spec, 'utf8'));
  await client.workflow.start('gavelPipeline', {
    workflowId: `gavel/${context.run}`,
    taskQueue: taskQueue(readRootId(context.paths.root)),
    args: [spec, { resume: true, until: lastStage(context.scenario) }],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
  });
}

export const damageFaults: readonly FaultKind[] = [
  { kind: 'newest checkpoint damaged', scenarios: ALL, stages: TRAINED, strike: damagedCheckpoint },
  { kind: 'ledger segment damaged', scenarios: ['outside'], stages: ['grpo'], strike: damagedLedger },
  { kind: 'disk full', scenarios: ['outside', 'served'], stages: TRAINED, strike: fullDisk },
  { kind: 'result half written', scenarios: ['outside'], stages: ['sft'], strike: halfResult },
];
