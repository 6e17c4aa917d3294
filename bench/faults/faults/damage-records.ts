import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { FaultContext } from '../run/fault-context.ts';
import { damage } from './damage-file.ts';
import { type FaultKind, TRAINED } from './fault-kind.ts';

/** The small files that say what counts are damaged: an epoch's record, its HEAD, and the seals and key indexes of the ledger. */

/** Damages a file while the trainer stands still, then kills it: the next attempt finds the damage. */
async function damagedBeforeNextAttempt(context: FaultContext, find: () => string | null) {
  const pid = await context.untilTrainer();
  process.kill(pid, 'SIGSTOP');
  try {
    const path = find();
    if (path === null) throw new Error('there is no such file to damage yet');
    mkdirSync(context.saved, { recursive: true });
    // In a folder of its own: the other files there are segments, which the undisturbed run is fed with.
    mkdirSync(join(context.saved, 'records'), { recursive: true });
    cpSync(path, join(context.saved, 'records', `${Date.now()}-${basename(path)}`));
    const what = damage(path, context.random);
    context.strikes(`${what} of epoch ${context.epoch?.epoch}; SIGKILL to trainer ${pid}`);
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    process.kill(pid, 'SIGCONT');
    throw error;
  }
  return {};
}

const damagedRecord = (context: FaultContext) =>
  damagedBeforeNextAttempt(context, () => inEpoch(context, 'epoch.json'));

const damagedHead = (context: FaultContext) => damagedBeforeNextAttempt(context, () => inEpoch(context, 'HEAD'));

function inEpoch({ directory, stage, epoch }: FaultContext, name: string): string | null {
  const path = join(directory.epoch(stage, epoch?.epoch ?? 0), name);
  return existsSync(path) ? path : null;
}

const damagedSeal = (context: FaultContext) =>
  damagedBeforeNextAttempt(context, () => {
    const { traces } = context.paths;
    const names = readdirSync(traces).filter((name) => /\.(seal\.json|index)$/.test(name));
    const full = names.filter((name) => statSync(join(traces, name)).size > 0);
    return full.length > 0 ? join(traces, context.random.pick(full)) : null;
  });

export const recordFaults: readonly FaultKind[] = [
  { kind: 'epoch.json damaged', scenarios: ['outside'], stages: TRAINED, strike: damagedRecord },
  { kind: 'HEAD damaged', scenarios: ['outside'], stages: TRAINED, strike: damagedHead },
  // In SFT the segments of GRPO are sealed.
  { kind: 'seal or key index damaged', scenarios: ['outside'], stages: ['sft'], strike: damagedSeal },
];
