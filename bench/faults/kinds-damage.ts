import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
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
import type { Trace } from '../../src/contracts/trace.ts';
import { damageOf, parseLine } from '../../src/ledger/line.ts';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';
import type { Field } from './field.ts';

/** Files are flipped, cut, taken away, and a disk runs full. */

/** Damages a file in one of three ways; says which. */
function damage(path: string, field: Field): string {
  const { size } = statSync(path);
  const how = field.random.pick(['flipped', 'cut', 'taken away']);
  if (how === 'taken away') rmSync(path);
  else {
    const at = Math.floor(field.random.next() * Math.max(1, size));
    const file = openSync(path, 'r+');
    if (how === 'cut') ftruncateSync(file, at);
    else {
      const byte = readFileSync(path)[at] ?? 0;
      writeSync(file, Buffer.from([byte ^ (1 << Math.floor(field.random.next() * 8))]), 0, 1, at);
    }
    closeSync(file);
  }
  return `${basename(path)} ${how}`;
}

/** Damages the newest committed checkpoint, then kills the trainer: the next attempt finds it. */
async function damagedCheckpoint(field: Field) {
  const pid = await field.untilTrainer();
  process.kill(pid, 'SIGSTOP');
  const folder = join(field.paths.stage(field.stage).checkpoints, newestCheckpoint(field));
  const files = readdirSync(folder).filter((name) => /\.(safetensors|pt|pth|json|jsonl)$/.test(name));
  const what = damage(join(folder, field.random.pick(files)), field);
  const fault = field.strikes(`${basename(folder)}: ${what}; SIGKILL to trainer ${pid}`);
  const from = field.log.events.length;
  process.kill(pid, 'SIGKILL');
  const next = await field.log.next('epoch', ({ at }) => at > fault.at, { from, timeout_ms: 60_000 });
  if (next && next.resumed_step < fault.committed) {
    field.reached(
      'fallback to an older checkpoint',
      `${basename(folder)} was damaged; ${next.starts_from ?? 'the start'} was used`,
    );
  }
  return {};
}

function newestCheckpoint(field: Field): string {
  const commit = field.log.of('commit').findLast(({ stage }) => stage === field.stage);
  if (!commit) throw new Error('there is no checkpoint to damage');
  return commit.checkpoint;
}

/** Damages a segment of the ledger, then kills the trainer. The original is kept: its verdicts were used. */
async function damagedLedger(field: Field) {
  const pid = await field.untilTrainer();
  process.kill(pid, 'SIGSTOP');
  const segments = readdirSync(field.paths.traces).filter((name) => name.endsWith('.jsonl'));
  const name = field.random.pick(segments.filter((each) => statSync(join(field.paths.traces, each)).size > 0));
  mkdirSync(field.saved, { recursive: true });
  cpSync(join(field.paths.traces, name), join(field.saved, `${Date.now()}-${name}`));
  const whole = keysOf(join(field.paths.traces, name));
  const what = damage(join(field.paths.traces, name), field);
  const left = new Set(keysOf(join(field.paths.traces, name)));
  const lost = whole.filter((key) => !left.has(key));
  writeFileSync(join(field.saved, `${Date.now()}-${name}.lost`), JSON.stringify(lost));
  field.strikes(`${what}; SIGKILL to trainer ${pid}`);
  process.kill(pid, 'SIGKILL');
  return {};
}

/** Keys of the traces whose lines are as they were written. */
export function keysOf(path: string): string[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'latin1').split('\n');
  return lines.flatMap((line) => {
    const bytes = Buffer.from(line, 'latin1');
    if (bytes.length === 0 || damageOf(bytes) !== null) return [];
    return [parseLine<Trace>({ bytes, offset: 0, number: 0 }, path).key];
  });
}

/** Fills the filesystem of the runs for some seconds, in which saves fail, then frees it. */
async function fullDisk(field: Field) {
  await field.untilTrainer();
  const fill = join(field.cluster.root, 'runs', '.fill');
  const file = openSync(fill, 'w');
  field.strikes('the filesystem of the runs is full');
  const block = Buffer.alloc(1 << 20);
  for (let size = block.length; size >= 1; ) {
    try {
      if (writeSync(file, block, 0, size) < size) size = Math.floor(size / 2);
    } catch {
      size = Math.floor(size / 2);
    }
  }
  closeSync(file);
  await sleep(field.random.between(4000, 8000));
  rmSync(fill);
  return {};
}

/** Half of a result: the stage is asked for again after a cancel and must not believe it. */
async function halfResult(field: Field) {
  const { result } = field.paths.stage('grpo');
  const handle = await field.handle();
  field.strikes('grpo/result.json cut in the middle; the run is cancelled and resumed');
  await handle.cancel();
  await handle.result().catch(() => undefined);
  const text = readFileSync(result);
  writeFileSync(result, text.subarray(0, Math.floor(text.length / 2)));
  await resume(field);
  return {};
}

/** Starts the pipeline again on the run directory that is there. */
export async function resume(field: Field): Promise<void> {
  const client = await field.cluster.client();
  const spec = JSON.parse(readFileSync(field.paths.spec, 'utf8'));
  const until = field.scenario === 'outside' ? 'sft' : field.scenario === 'managed' ? 'grpo' : 'audit';
  await client.workflow.start('gavelPipeline', {
    workflowId: `gavel/${field.run}`,
    taskQueue: 'gavel',
    args: [spec, { resume: true, until }],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
  });
}

export const damageFaults: readonly FaultKind[] = [
  { kind: 'newest checkpoint damaged', scenarios: ALL, stages: TRAINED, strike: damagedCheckpoint },
  { kind: 'ledger segment damaged', scenarios: ['outside'], stages: ['grpo'], strike: damagedLedger },
  { kind: 'disk full', scenarios: ['outside'], stages: TRAINED, strike: fullDisk },
  { kind: 'result half written', scenarios: ['outside'], stages: ['sft'], strike: halfResult },
];
