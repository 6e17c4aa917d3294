import { closeSync, existsSync, openSync, readdirSync, readFileSync, truncateSync, watch, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Journaled, journalPlace, journalsOf, readJournal, readJournals } from '../check/read-journal.ts';
import { loadedAdapters, runningRequests } from '../observe/policy-server.ts';
import { isAlive } from '../observe/processes.ts';
import type { FaultContext } from '../run/fault-context.ts';
import type { FaultKind } from './fault-kind.ts';
import { killVllm } from './kill-processes.ts';

/** Where rollouts are served: the servers of the policy, the adapters that they get, and the journal of what they sampled. */

const SERVER = 'policy-0';

async function untilSampling({ paths }: FaultContext): Promise<number> {
  for (const until = Date.now() + 120_000; Date.now() < until; await sleep(5)) {
    const running = await runningRequests(paths.endpoint(SERVER));
    if (running) return running;
  }
  throw new Error('no server of the policy was seen sampling');
}

async function killServer(context: FaultContext, which: 'server' | 'engine') {
  const running = await untilSampling(context);
  const measured = await killVllm(context, which, SERVER);
  context.reached('policy server killed while it sampled', `${running} requests were running`);
  return { ...measured, ...(await untilSampledAgain(context)) };
}

/** A server that neither ends nor answers: found by the checks of its health alone. */
async function stopServer(context: FaultContext) {
  const running = await untilSampling(context);
  const parts = context.children().filter(({ tag }) => tag?.endsWith(`/vllm-${SERVER}`));
  const served = context.directory.servedBy(SERVER);
  context.strikes(`SIGSTOP to vLLM of the policy, ${parts.length} processes`);
  for (const { pid } of parts) process.kill(pid, 'SIGSTOP');
  context.reached('policy server hung while it sampled', `${running} requests were running`);
  const found = await context.secondsUntil(90, () => context.directory.servedBy(SERVER) !== served);
  if (found === null) context.violated('a hung model server is found', `vLLM ${served} was left stopped for 90 s`);
  for (const { pid } of parts) if (isAlive(pid)) process.kill(pid, 'SIGCONT');
  return { ...(found !== null && { found }), ...(await untilSampledAgain(context)) };
}

/** The trainer goes on with the server that is started in place of the dead one. */
async function untilSampledAgain(context: FaultContext): Promise<Record<string, number>> {
  const fault = context.log.of('fault').at(-1);
  const back = await context.secondsUntil(180, () => context.directory.servedBy(SERVER) !== null);
  const from = context.log.events.length;
  await context.log.next('step', () => true, { from, timeout_ms: 60_000 });
  const attempt = context.log.of('epoch').find(({ at }) => at > (fault?.at ?? 0));
  if (attempt) context.violated('a trainer outlives the servers of the policy', `epoch ${attempt.epoch} was begun`);
  return back === null ? {} : { served_again: back };
}

/** The trainer is killed while it writes an adapter, or before a server has loaded it. */
async function killInPublication(context: FaultContext) {
  const pid = await context.untilTrainer();
  const folder = join(context.directory.epoch('grpo', context.epoch?.epoch ?? 0), 'adapters');
  await context.until('the folder of the adapters', 60, () => existsSync(folder));
  const writing = await new Promise<string>((resolve, reject) => {
    const watcher = watch(folder, (_, name) => name?.endsWith('.partial') && done(name));
    const timer = setTimeout(() => done(null), 30_000);
    const done = (name: string | null) => {
      watcher.close();
      clearTimeout(timer);
      name === null ? reject(new Error('no adapter was published')) : resolve(name);
    };
  });
  await sleep(context.random.between(0, 10));
  context.strikes(`SIGKILL to trainer ${pid} while it publishes ${writing}`);
  process.kill(pid, 'SIGKILL');
  await context.until('the trainer to be gone', 10, () => !isAlive(pid));
  const name = writing.slice(1, -'.partial'.length);
  const loaded = await loadedAdapters(context.paths.endpoint(SERVER));
  const half = readdirSync(folder).includes(writing);
  if (half || (loaded !== null && !loaded.includes(name))) {
    context.reached('adapter half published', `${name} was ${half ? 'being written' : 'written and not loaded'}`);
  }
  return {};
}

/** What the newest epoch has journaled of steps after the last commit, in the order of its files; null where no step is half there. */
function pendingOf(context: FaultContext): Journaled[] | null {
  const { prompts_per_step, num_generations } = context.directory.groupsOfAStep();
  const { committed } = context.heights('grpo');
  context.journals.copy();
  const own = journalsOf(join(context.journals.folder, String(context.epoch?.epoch ?? 0).padStart(6, '0')));
  // Steps after a commit are in the file that began with it and, sampled ahead, in the one before.
  const entries = own.slice(-2).flatMap((path) => readJournal(path).filter(({ step }) => step > committed));
  const last = Math.max(...entries.map(({ step }) => step));
  const some = entries.filter(({ step }) => step === last).length;
  return entries.length > 0 && some < prompts_per_step * num_generations ? entries : null;
}

interface Pending {
  pid: number;
  epoch: number;
  entries: Journaled[];
}

/** Stops the trainer at a moment at which some completions of a step after the last commit are journaled, and others are not. */
async function stoppedWithPending(context: FaultContext, least: number): Promise<Pending> {
  for (const until = Date.now() + 120_000; Date.now() < until; await sleep(5)) {
    const pid = await context.untilTrainer();
    if ((pendingOf(context)?.length ?? 0) < least) continue;
    process.kill(pid, 'SIGSTOP');
    // The observer looks for commits every 25 ms.
    await sleep(100);
    const entries = pendingOf(context);
    if (entries && entries.length >= least) return { pid, epoch: context.epoch?.epoch ?? 0, entries };
    process.kill(pid, 'SIGCONT');
  }
  throw new Error('no step was seen half journaled');
}

async function killWithPending(context: FaultContext) {
  const { pid, entries } = await stoppedWithPending(context, 1);
  const what = `${entries.length} completions after the last commit were journaled, the last step not whole`;
  context.strikes(`SIGKILL to trainer ${pid}: ${what}`);
  process.kill(pid, 'SIGKILL');
  context.reached('trainer killed with rollouts pending', what);
  return {};
}

/** The trainer is killed, and a line of its journal that the next attempt would need is cut short or altered. */
async function damageJournal(context: FaultContext, how: 'torn' | 'flipped') {
  const { pid, epoch, entries } = await stoppedWithPending(context, 2);
  const victim = (how === 'torn' ? entries.at(-1) : context.random.pick(entries.slice(0, -1))) as Journaled;
  const path = join(context.directory.epoch('grpo', epoch), victim.file);
  const place = journalPlace(victim);
  context.strikes(`SIGKILL to trainer ${pid}, and the line of ${place} in ${victim.file} of epoch ${epoch} ${how}`);
  process.kill(pid, 'SIGKILL');
  await context.until('the trainer to be gone', 10, () => !isAlive(pid));
  context.log.add({ event: 'journal_damaged', epoch, place });
  const within = Math.floor(context.random.between(10, victim.end - victim.from - 1));
  if (how === 'torn') truncateSync(path, victim.from + within);
  else flip(path, victim.from + within, context.random.next());
  const again = () => {
    context.journals.copy();
    return readJournals(context.journals.folder).some((entry) => entry.epoch > epoch && journalPlace(entry) === place);
  };
  const sampled_again = await context.secondsUntil(180, again);
  if (sampled_again === null) {
    context.violated('a damaged line of the journal does not count', `${place} was not sampled again within 180 s`);
    return {};
  }
  context.reached(
    how === 'torn' ? 'torn line of the journal' : 'altered line of the journal',
    `${place} sampled again`,
  );
  return { sampled_again };
}

function flip(path: string, at: number, where: number): void {
  const byte = readFileSync(path)[at] ?? 0;
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from([byte ^ (1 << Math.floor(where * 7))]), 0, 1, at);
  closeSync(file);
}

const served = { scenarios: ['served'], stages: ['grpo'] } as const;

export const servedFaults: readonly FaultKind[] = [
  { kind: 'policy server killed', ...served, strike: (context) => killServer(context, 'server') },
  { kind: 'policy engine killed', ...served, strike: (context) => killServer(context, 'engine') },
  { kind: 'policy server hangs', ...served, strike: stopServer },
  { kind: 'trainer killed in a publication', ...served, strike: killInPublication },
  { kind: 'trainer killed with rollouts pending', ...served, strike: killWithPending },
  { kind: 'journal torn', ...served, strike: (context) => damageJournal(context, 'torn') },
  { kind: 'journal altered', ...served, strike: (context) => damageJournal(context, 'flipped') },
];
