import { existsSync, readdirSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { read } from '../check/read-run-directory.ts';
import { isAlive } from '../observe/processes.ts';
import type { FaultContext } from '../run/fault-context.ts';
import { ALL, EVERY, type FaultKind, TRAINED } from './fault-kind.ts';

/** Processes are killed, stopped and told to end. */

async function killTrainer(context: FaultContext) {
  const pid = await context.untilTrainer();
  context.strikes(`SIGKILL to trainer ${pid}`);
  process.kill(pid, 'SIGKILL');
  return {};
}

/** What the kernel does to a process that asks for more memory than there is: it counts the kill, and kills. */
async function outOfMemory(context: FaultContext) {
  const pid = await context.untilTrainer();
  const counter = context.cluster.oomCounter(context.node);
  const fault = context.strikes(`SIGKILL to trainer ${pid}, counted as an out-of-memory kill`);
  const before = Number(/oom_kill (\d+)/.exec(read(counter) ?? '')?.[1] ?? 0);
  writeFileSync(counter, `oom_kill ${before + 1}\n`);
  process.kill(pid, 'SIGKILL');
  const from = context.log.events.length;
  await context.log.next('epoch', ({ at }) => at > fault.at, { from, timeout_ms: 60_000 });
  const outcome = read(join(context.directory.epoch(fault.stage, fault.epoch), 'outcome.json')) ?? '';
  if (!outcome.includes('out of memory')) {
    context.violated('an out-of-memory kill is reported', `epoch ${fault.epoch} says ${outcome.slice(0, 200)}`);
  }
  return {};
}

/** Resolves as soon as the trainer of the newest epoch begins to write a checkpoint. */
async function untilSaving(context: FaultContext): Promise<{ pid: number; work: string }> {
  for (;;) {
    const pid = await context.untilTrainer();
    const { dir } = context.paths.stage(context.stage).epoch(context.epoch?.epoch ?? 0);
    const work = join(dir, context.stage === 'grpo' ? 'work' : 'trainer');
    await context.until('the folder that the trainer saves into', 60, () => existsSync(work) || !isAlive(pid));
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

async function killInSave(context: FaultContext) {
  const { pid, work } = await untilSaving(context);
  await sleep(context.random.between(0, 40));
  const fault = context.strikes(`SIGKILL to trainer ${pid} in a save`);
  process.kill(pid, 'SIGKILL');
  await context.until('the trainer to be gone', 10, () => !isAlive(pid));
  const half = readdirSync(work).filter((name) => name.startsWith('checkpoint-'));
  if (half.length > 0) context.reached('kill during a save', `${half[0]} of epoch ${fault.epoch} was being written`);
  return {};
}

async function killGateway(context: FaultContext) {
  await context.untilTrainer();
  const gateway = context
    .children()
    .find(({ tag }) => tag?.endsWith(`/${context.stage}/e${context.epoch?.epoch}/gateway`));
  if (!gateway) throw new Error('there is no gateway to kill');
  context.strikes(`SIGKILL to gateway ${gateway.pid}`);
  process.kill(gateway.pid, 'SIGKILL');
  return {};
}

/** Kills the worker that holds the stage; held down for `held_s`, so that the stage has to move. */
async function killWorker(context: FaultContext, held_s: number) {
  const { node } = context;
  const children = context.children().filter(({ tag }) => tag?.startsWith(`${node}:`));
  const fault = context.strikes(
    `SIGKILL to the worker of node ${node}${held_s ? `, down for ${held_s.toFixed(0)} s` : ''}`,
  );
  context.cluster.signal(node, 'SIGKILL', { held: held_s > 0 });
  const children_gone = await context.secondsUntil(10, () => !children.some(({ pid }) => isAlive(pid)));
  if (children_gone === null)
    context.violated('no child process left over', `children of ${node} outlived their worker`);
  if (held_s > 0) {
    await sleep(held_s * 1000);
    context.cluster.release(node);
    const next = context.epoch;
    if (next && next.at > fault.at && next.node !== node) {
      context.reached('move to the other node', `${next.stage} went on at node ${next.node}`);
    }
  }
  return children_gone === null ? {} : { children_gone };
}

/** SIGTERM with notice: the worker commits and goes; the stage goes on at the other node. */
async function noticeToWorker(context: FaultContext) {
  const { node } = context;
  await context.untilTrainer();
  context.strikes(`SIGTERM to the worker of node ${node}`);
  const from = context.log.events.length;
  context.cluster.signal(node, 'SIGTERM', { held: true });
  const began = performance.now();
  await context.cluster.ended(node);
  const worker_gone = (performance.now() - began) / 1000;
  if (worker_gone > 28)
    context.violated('gone within 28 s of a notice', `node ${node} took ${worker_gone.toFixed(1)} s`);
  const gone_at = Date.now();
  const next = await context.log.next('epoch', () => true, { from, timeout_ms: 90_000 });
  context.cluster.release(node);
  if (context.epoch && context.node !== node) {
    context.reached('move to the other node', `${context.stage} went on at node ${context.node}`);
  }
  // The next attempt may begin while the old worker is still on its way out.
  return { worker_gone, ...(next && { attempt_after_worker: Math.max(0, (next.at - gone_at) / 1000) }) };
}

/**
 * A zombie: the worker is stopped until its work has been taken over, then goes on. In GRPO its trainer is never stopped, or, half of
 * the time, is stopped in the middle of a save and finishes that save later. SFT and audit would end before anybody takes over: there
 * the trainer is always stopped.
 */
async function zombie(context: FaultContext) {
  const { node, stage } = context;
  // The audit commits nothing, and its next attempt waits for a model server of its own.
  const trained = stage !== 'audit';
  const in_save = trained && context.random.next() < 0.5;
  const frozen = in_save || stage !== 'grpo';
  const pid = in_save ? (await untilSaving(context)).pid : await context.untilTrainer();
  const worker = context.cluster.pid(node);
  const fault = context.strikes(
    `SIGSTOP to the worker of node ${node}${frozen ? ' and to its trainer' : ''}${in_save ? ', in a save' : ''}`,
  );
  process.kill(worker, 'SIGSTOP');
  if (frozen) process.kill(pid, 'SIGSTOP');
  const from = context.log.events.length;
  const limit_s = trained ? 60 : 240;
  // Its trainer may have been about to publish the stage's result: then there is nothing left to take over.
  const ended = () => context.log.of('result').some((result) => result.stage === stage && result.at > fault.at);
  const options = { from, timeout_ms: limit_s * 1000, unless: ended };
  const taken = await context.log.next('epoch', ({ at }) => at > fault.at, options);
  const goesOn = trained ? 'commit' : 'trainer';
  if (taken) await context.log.next(goesOn, ({ epoch }) => epoch === taken.epoch, { from, timeout_ms: 60_000 });
  process.kill(worker, 'SIGCONT');
  if (frozen && isAlive(pid)) process.kill(pid, 'SIGCONT');
  if (!taken) {
    if (ended()) return {};
    context.violated(
      'a silent worker is taken over',
      `no attempt had done so ${limit_s} s after node ${node} was stopped`,
    );
    return {};
  }
  const zombie_gone = await context.secondsUntil(30, () => !isAlive(pid));
  if (zombie_gone === null) context.violated('a zombie dies', `trainer ${pid} lived 30 s after its worker woke up`);
  if (taken.node !== node) context.reached('move to the other node', `${taken.stage} went on at node ${taken.node}`);
  return zombie_gone === null ? {} : { zombie_gone };
}

/** Alive and stuck: found by the progress deadline alone. */
async function hang(context: FaultContext) {
  const pid = await context.untilTrainer();
  context.strikes(`SIGSTOP to trainer ${pid}`);
  process.kill(pid, 'SIGSTOP');
  // Waiting for a model server suspends the deadline of progress, and the audit's trainer begins before its servers answer.
  const limit_s = context.stage === 'audit' ? 300 : 120;
  const found = await context.secondsUntil(limit_s, () => !isAlive(pid));
  if (found === null) context.violated('a hung process is found', `trainer ${pid} was left stopped for ${limit_s} s`);
  return found === null ? {} : { found };
}

/**
 * vLLM's parts end together by themselves; that gavel has noticed shows where clients read it: it takes back the address of the
 * dead server.
 */
export async function killVllm(context: FaultContext, which: 'server' | 'engine', name = 'judge') {
  const served = await context.until(`${name} to be served`, 120, () => context.directory.servedBy(name));
  const parts = () => context.children().filter(({ tag }) => tag?.endsWith(`/vllm-${name}`));
  const server = parts().find(({ command }) => command.includes('gavel_train.serving.vllm'));
  const engine = parts().find(({ command }) => /EngineCore|spawn_main/.test(command));
  const victim = which === 'server' ? server : (engine ?? server);
  if (!victim) throw new Error('there is no vLLM to kill');
  const old = parts().map(({ pid }) => pid);
  context.strikes(`SIGKILL to vLLM's ${which} ${victim.pid}`);
  process.kill(victim.pid, 'SIGKILL');
  const [found, no_orphans] = await Promise.all([
    context.secondsUntil(30, () => context.directory.servedBy(name) !== served),
    context.secondsUntil(30, () => !old.some(isAlive)),
  ]);
  if (found === null)
    context.violated('a dead model server is found', `the address of vLLM ${served} was never taken back`);
  if (no_orphans === null) context.violated('no child process left over', `parts of vLLM outlived their ${which}`);
  return { ...(found !== null && { found }), ...(no_orphans !== null && { no_orphans }) };
}

const grpoOnly = ['grpo'] as const;

export const killFaults: readonly FaultKind[] = [
  { kind: 'trainer killed', scenarios: ALL, stages: EVERY, strike: killTrainer },
  { kind: 'trainer killed in a save', scenarios: ALL, stages: TRAINED, strike: killInSave },
  { kind: 'trainer hangs', scenarios: ALL, stages: EVERY, strike: hang },
  { kind: 'trainer out of memory', scenarios: ALL, stages: TRAINED, strike: outOfMemory },
  { kind: 'gateway killed', scenarios: ALL, stages: ['grpo', 'audit'], spares_trainer: true, strike: killGateway },
  { kind: 'worker killed', scenarios: ALL, stages: EVERY, strike: (context) => killWorker(context, 0) },
  {
    kind: 'node lost',
    scenarios: ALL,
    stages: EVERY,
    strike: (context) => killWorker(context, context.random.between(14, 20)),
  },
  { kind: 'worker told to end (SIGTERM)', scenarios: ALL, stages: EVERY, strike: noticeToWorker },
  // Its trainer goes on for a heartbeat timeout.
  { kind: 'worker stopped, then woken', scenarios: ALL, stages: EVERY, steps: 30, strike: zombie },
  { kind: 'vLLM killed', scenarios: ['managed'], stages: grpoOnly, strike: (context) => killVllm(context, 'server') },
  {
    kind: 'vLLM engine killed',
    scenarios: ['managed'],
    stages: grpoOnly,
    strike: (context) => killVllm(context, 'engine'),
  },
];
