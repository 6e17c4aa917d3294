import { existsSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { servedBy } from './disk.ts';
import { ALL, EVERY, type FaultKind, TRAINED } from './fault-kind.ts';
import type { Field } from './field.ts';
import { isAlive } from './processes.ts';

/** Processes are killed, stopped and told to end. */

async function killTrainer(field: Field) {
  const pid = await field.untilTrainer();
  field.strikes(`SIGKILL to trainer ${pid}`);
  process.kill(pid, 'SIGKILL');
  return {};
}

/** Resolves as soon as the trainer of the newest epoch begins to write a checkpoint. */
async function untilSaving(field: Field): Promise<{ pid: number; work: string }> {
  for (;;) {
    const pid = await field.untilTrainer();
    const { dir } = field.paths.stage(field.stage).epoch(field.epoch?.epoch ?? 0);
    const work = join(dir, field.stage === 'grpo' ? 'work' : 'trainer');
    await field.until('the folder that the trainer saves into', 60, () => existsSync(work) || !isAlive(pid));
    if (!existsSync(work)) continue;
    const saving = await new Promise<boolean>((resolve) => {
      const watcher = watch(work, (_, name) => name?.startsWith('checkpoint-') && done(true));
      const timer = setInterval(() => !isAlive(pid) && done(false), 100);
      const done = (seen: boolean) => {
        watcher.close();
        clearInterval(timer);
        resolve(seen);
      };
    });
    if (saving) return { pid, work };
  }
}

async function killInSave(field: Field) {
  const { pid, work } = await untilSaving(field);
  await sleep(field.random.between(0, 40));
  const fault = field.strikes(`SIGKILL to trainer ${pid} in a save`);
  process.kill(pid, 'SIGKILL');
  await field.until('the trainer to be gone', 10, () => !isAlive(pid));
  const half = readdirSync(work).filter((name) => name.startsWith('checkpoint-'));
  if (half.length > 0) field.reached('kill during a save', `${half[0]} of epoch ${fault.epoch} was being written`);
  return {};
}

async function killGateway(field: Field) {
  await field.untilTrainer();
  const gateway = field.children().find(({ tag }) => tag?.endsWith(`/${field.stage}/e${field.epoch?.epoch}/gateway`));
  if (!gateway) throw new Error('there is no gateway to kill');
  field.strikes(`SIGKILL to gateway ${gateway.pid}`);
  process.kill(gateway.pid, 'SIGKILL');
  return {};
}

/** Kills the worker that holds the stage; held down for `held_s`, so that the stage has to move. */
async function killWorker(field: Field, held_s: number) {
  const { node } = field;
  const children = field.children().filter(({ tag }) => tag?.startsWith(`${node}:`));
  const fault = field.strikes(
    `SIGKILL to the worker of node ${node}${held_s ? `, down for ${held_s.toFixed(0)} s` : ''}`,
  );
  field.cluster.signal(node, 'SIGKILL', { held: held_s > 0 });
  const children_gone = await field.secondsUntil(10, () => !children.some(({ pid }) => isAlive(pid)));
  if (children_gone === null) field.violated('no child process left over', `children of ${node} outlived their worker`);
  if (held_s > 0) {
    await sleep(held_s * 1000);
    field.cluster.release(node);
    const next = field.epoch;
    if (next && next.at > fault.at && next.node !== node) {
      field.reached('move to the other node', `${next.stage} went on at node ${next.node}`);
    }
  }
  return children_gone === null ? {} : { children_gone };
}

/** SIGTERM with notice: the worker commits and goes; the stage goes on at the other node. */
async function noticeToWorker(field: Field) {
  const { node } = field;
  await field.untilTrainer();
  field.strikes(`SIGTERM to the worker of node ${node}`);
  const from = field.log.events.length;
  field.cluster.signal(node, 'SIGTERM', { held: true });
  const began = performance.now();
  await field.cluster.ended(node);
  const worker_gone = (performance.now() - began) / 1000;
  if (worker_gone > 28) field.violated('gone within 28 s of a notice', `node ${node} took ${worker_gone.toFixed(1)} s`);
  const gone_at = Date.now();
  const next = await field.log.next('epoch', () => true, { from, timeout_ms: 90_000 });
  field.cluster.release(node);
  if (field.epoch && field.node !== node) {
    field.reached('move to the other node', `${field.stage} went on at node ${field.node}`);
  }
  // The next attempt may begin while the old worker is still on its way out.
  return { worker_gone, ...(next && { attempt_after_worker: Math.max(0, (next.at - gone_at) / 1000) }) };
}

/**
 * A zombie: the worker is stopped until its work has been taken over, then goes on. Its trainer was never stopped, or, half of the
 * time, was stopped in the middle of a save and finishes that save later.
 */
async function zombie(field: Field) {
  const { node } = field;
  const in_save = field.random.next() < 0.5;
  const pid = in_save ? (await untilSaving(field)).pid : await field.untilTrainer();
  const worker = field.cluster.pid(node);
  const fault = field.strikes(
    `SIGSTOP to the worker of node ${node}${in_save ? ' and to its trainer, in a save' : ''}`,
  );
  process.kill(worker, 'SIGSTOP');
  if (in_save) process.kill(pid, 'SIGSTOP');
  const from = field.log.events.length;
  const taken = await field.log.next('epoch', ({ at }) => at > fault.at, { from, timeout_ms: 60_000 });
  if (taken) await field.log.next('commit', ({ epoch }) => epoch === taken.epoch, { from, timeout_ms: 60_000 });
  process.kill(worker, 'SIGCONT');
  if (in_save && isAlive(pid)) process.kill(pid, 'SIGCONT');
  if (!taken) {
    field.violated('a silent worker is taken over', `nobody had done so 60 s after node ${node} was stopped`);
    return {};
  }
  const zombie_gone = await field.secondsUntil(30, () => !isAlive(pid));
  if (zombie_gone === null) field.violated('a zombie dies', `trainer ${pid} lived 30 s after its worker woke up`);
  if (taken.node !== node) field.reached('move to the other node', `${taken.stage} went on at node ${taken.node}`);
  return zombie_gone === null ? {} : { zombie_gone };
}

/** Alive and stuck: found by the progress deadline alone. */
async function hang(field: Field) {
  const pid = await field.untilTrainer();
  field.strikes(`SIGSTOP to trainer ${pid}`);
  process.kill(pid, 'SIGSTOP');
  const found = await field.secondsUntil(120, () => !isAlive(pid));
  if (found === null) field.violated('a hung process is found', `trainer ${pid} was left stopped for 120 s`);
  return found === null ? {} : { found };
}

/**
 * vLLM's parts end together by themselves; that gavel has noticed shows where clients read it: it takes back the address of the
 * dead server.
 */
async function killVllm(field: Field, which: 'server' | 'engine') {
  const served = await field.until('the judge to be served', 120, () => servedBy(field.paths, 'judge'));
  const parts = () => field.children().filter(({ tag }) => tag?.endsWith('/vllm-judge'));
  const server = parts().find(({ command }) => command.includes('gavel_train.serving.vllm'));
  const engine = parts().find(({ command }) => /EngineCore|spawn_main/.test(command));
  const victim = which === 'server' ? server : (engine ?? server);
  if (!victim) throw new Error('there is no vLLM to kill');
  const old = parts().map(({ pid }) => pid);
  field.strikes(`SIGKILL to vLLM's ${which} ${victim.pid}`);
  process.kill(victim.pid, 'SIGKILL');
  const [found, no_orphans] = await Promise.all([
    field.secondsUntil(30, () => servedBy(field.paths, 'judge') !== served),
    field.secondsUntil(30, () => !old.some(isAlive)),
  ]);
  if (found === null)
    field.violated('a dead model server is found', `the address of vLLM ${served} was never taken back`);
  if (no_orphans === null) field.violated('no child process left over', `parts of vLLM outlived their ${which}`);
  return { ...(found !== null && { found }), ...(no_orphans !== null && { no_orphans }) };
}

const grpoOnly = ['grpo'] as const;

export const killFaults: readonly FaultKind[] = [
  { kind: 'trainer killed', scenarios: ALL, stages: EVERY, strike: killTrainer },
  { kind: 'trainer killed in a save', scenarios: ALL, stages: TRAINED, strike: killInSave },
  { kind: 'trainer hangs', scenarios: ALL, stages: grpoOnly, strike: hang },
  { kind: 'gateway killed', scenarios: ALL, stages: ['grpo', 'audit'], strike: killGateway },
  { kind: 'worker killed', scenarios: ALL, stages: EVERY, strike: (field) => killWorker(field, 0) },
  {
    kind: 'node lost',
    scenarios: ALL,
    stages: EVERY,
    strike: (field) => killWorker(field, field.random.between(14, 20)),
  },
  { kind: 'worker told to end (SIGTERM)', scenarios: ALL, stages: EVERY, strike: noticeToWorker },
  { kind: 'worker stopped, then woken', scenarios: ['outside'], stages: grpoOnly, strike: zombie },
  { kind: 'vLLM killed', scenarios: ['managed'], stages: grpoOnly, strike: (field) => killVllm(field, 'server') },
  {
    kind: 'vLLM engine killed',
    scenarios: ['managed'],
    stages: grpoOnly,
    strike: (field) => killVllm(field, 'engine'),
  },
];
