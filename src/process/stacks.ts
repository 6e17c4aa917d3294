import { appendFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { send } from './reap.ts';

const POLL_MS = 25;
const QUIET_POLLS = 4;
// A process that is stopped never answers.
const PATIENCE_MS = 1000;

/**
 * Has the Python processes `pids` write their stacks to the log, each under a heading. One after the other: a stack is written
 * word by word, and ranks that share a log would mix theirs.
 */
export async function writeStacks(logPath: string, pids: number[]): Promise<void> {
  for (const [index, pid] of pids.entries()) {
    tryAppend(logPath, `gavel: the stacks of process ${pid} (${index + 1} of ${pids.length})\n`);
    const before = sizeOf(logPath);
    // A process that has ended since writes no stack, so it is not waited for.
    if (send(pid, 'SIGUSR1')) await untilQuiet(logPath, before);
  }
}

async function untilQuiet(logPath: string, before: number) {
  const deadline = performance.now() + PATIENCE_MS;
  let size = before;
  let quiet = 0;
  while (quiet < QUIET_POLLS && performance.now() < deadline) {
    await sleep(POLL_MS);
    const now = sizeOf(logPath);
    quiet = now > before && now === size ? quiet + 1 : 0;
    size = now;
  }
}

const sizeOf = (logPath: string) => statSync(logPath, { throwIfNoEntry: false })?.size ?? 0;

function tryAppend(logPath: string, text: string) {
  try {
    appendFileSync(logPath, text);
  } catch {
    // A full disk costs the heading.
  }
}
