import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, vi } from 'vitest';
import type { Assertion } from '../../../bench/faults/check/assertions.ts';
import type { Failpoint } from '../../../src/failpoints.ts';
import { sealPath } from '../../../src/run-directory/paths.ts';
import { requestStop } from '../../../src/run-directory/stop.ts';
import type { Behaviour } from '../../gateway/fake-judge.ts';
import type { MiniRun } from './mini-run.ts';

/** What can happen to a stage, and builds that it breaks. */

/** The trainer is killed in the middle of a save interval; a second attempt ends the stage. */
export async function killed(made: MiniRun): Promise<void> {
  made.hold(3);
  const first = made.attempt().catch(() => null);
  await made.untilStep(1, 3);
  await made.kill(made.trainer(1));
  made.letGo();
  await first;
  await made.attempt();
}

/** The trainer is killed with its first step graded and nothing committed; no attempt continues the stage. */
export async function killedAtFirstStep(made: MiniRun): Promise<void> {
  made.hold(1);
  const first = made.attempt().catch(() => null);
  await made.untilStep(1, 1);
  await made.kill(made.trainer(1));
  made.letGo();
  await first;
}

/** A second attempt, on another node, takes over from a first that knows nothing of it. */
export async function takenOver(made: MiniRun): Promise<void> {
  made.hold(1);
  const zombie = made.attempt('a').catch(() => null);
  await made.untilStep(1, 1);
  const second = made.attempt('b').catch(() => null);
  await vi.waitFor(() => expect(existsSync(made.paths.stage('grpo').epoch(2).record)).toBe(true), { timeout: 60_000 });
  made.letGo();
  await Promise.all([zombie, second]);
}

/** As `takenOver`, but the second attempt's trainer is killed before it commits, and the first ends the stage before that. */
export async function takenOverInVain(made: MiniRun): Promise<void> {
  made.hold(1);
  const zombie = made.attempt('a').catch(() => null);
  await made.untilStep(1, 1);
  const second = made.attempt('b').catch(() => null);
  await made.untilStep(2, 1);
  await made.kill(made.trainer(2));
  made.letGo();
  await Promise.all([zombie, second]);
  await made.attempt('b');
}

/** The gateway is killed a moment after the trainer has got verdicts from it. */
export async function gatewayKilled(made: MiniRun): Promise<void> {
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
export async function asked(made: MiniRun): Promise<void> {
  made.hold(3);
  const first = made.attempt().catch(() => null);
  await made.untilStep(1, 3);
  const fault = { stage: 'grpo', epoch: 1, step: 3, committed: 2, detail: '' } as const;
  made.log.add({ event: 'fault', id: 1, kind: 'preemptionNotice', ...fault });
  await requestStop(made.paths, 'grpo', 'r.1', 'a test asks');
  await first;
  made.letGo();
  await made.attempt('a', 'r.2');
}

/** Leaves a record that can be read, in which a tenth of an older segment counts. */
function acceptLess(record: string): void {
  const text = readFileSync(record, 'utf8');
  const less = text.replace(/(\.jsonl": \d+)\d/, '$1');
  if (less === text) throw new Error(`${record}: expected the length of a segment, found none`);
  writeFileSync(record, less);
}

/** The trainer is killed three times, each time with a damaged file: HEAD, the epoch's record, the seal of an older segment. */
export async function recordsDamaged(made: MiniRun): Promise<void> {
  const { epoch } = made.paths.stage('grpo');
  const damaged = [
    () => rmSync(epoch(1).head),
    () => acceptLess(epoch(2).record),
    () => writeFileSync(sealPath(made.paths.segment('grpo', 1, 1)), '{'),
  ];
  for (const [index, damage] of damaged.entries()) {
    made.hold(index + 3);
    const attempt = made.attempt().catch(() => null);
    await made.untilStep(index + 1, index + 3);
    damage();
    await made.kill(made.trainer(index + 1));
    made.letGo();
    await attempt;
  }
  await made.attempt();
}

/** As `killed`, late, and with the fault in the log: what was lost is counted from there. */
export async function killedLate(made: MiniRun): Promise<void> {
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

interface Case {
  assertion: Assertion;
  build: string;
  failpoints: Failpoint[];
  scenario: (made: MiniRun) => Promise<void>;
  witness?: boolean;
  behave?: (n: number) => Behaviour;
}

/** For each assertion that a run of a stage can break: a build that breaks it, and what has to happen to that build. */
export const cases: Case[] = [
  {
    assertion: 'nothing from a stale epoch counts',
    build: 'the fence is off, for trainers and for readers of a result',
    failpoints: ['skip-fence', 'accept-stale-result'],
    scenario: takenOverInVain,
  },
  {
    assertion: 'one result a stage',
    build: 'the fence is off and a result replaces another',
    failpoints: ['skip-fence', 'replace-result'],
    scenario: takenOver,
  },
  {
    assertion: 'committed steps strictly increase along the chain',
    build: 'the manifest says another step',
    failpoints: ['wrong-step'],
    scenario: killed,
  },
  {
    assertion: 'every published file matches its digest',
    build: 'a file is written after its digest was taken',
    failpoints: ['write-after-digest'],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'a commit is durable before it is published',
    build: 'files are not fsynced',
    failpoints: ['skip-file-fsync'],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'a commit is durable before it is published',
    build: 'HEAD comes before the fsync of what it names',
    failpoints: ['head-before-fsync'],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'each trace key once',
    build: 'the gateway does not look into the ledger',
    failpoints: ['blind-ledger'],
    scenario: killed,
  },
  {
    assertion: 'each rollout has a trace of its own in the ledger',
    build: 'the key holds no occasion',
    failpoints: ['key-without-occasion'],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'each rollout has a trace of its own in the ledger',
    build: 'a verdict is out whose trace is never written',
    failpoints: ['lose-acknowledged-traces'],
    scenario: gatewayKilled,
  },
  {
    assertion: 'every verdict that a gateway acknowledged is in the ledger',
    build: 'a verdict is out whose trace is never written, and whose step is never committed',
    failpoints: ['lose-acknowledged-traces'],
    scenario: killedAtFirstStep,
  },
  {
    assertion: 'every committed step has all its groups',
    build: 'a checkpoint holds a rollout less',
    failpoints: ['drop-a-rollout'],
    scenario: (made) => made.attempt().then(() => undefined),
  },
  {
    assertion: 'no more steps are lost than is allowed',
    build: 'every attempt begins afresh',
    failpoints: ['start-afresh'],
    scenario: killedLate,
  },
  {
    assertion: 'no completed step is lost after a notice',
    build: 'the trainer gets no time to commit',
    failpoints: ['no-stop-grace'],
    scenario: asked,
  },
  {
    assertion: 'the final adapter equals the witness',
    build: 'a replayed step asks the judge again',
    failpoints: ['blind-ledger'],
    scenario: killed,
    witness: true,
    // A judge that never says the same twice.
    behave: (n) => ({ text: `Fine. Score: ${n % 10}` }),
  },
];
