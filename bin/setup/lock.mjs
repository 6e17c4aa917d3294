// One set-up at a time: a second one waits for the first, and a dead one's lock is taken over.
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time a process started, so that a pid used again is not mistaken for it; empty where /proc is missing. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

const identity = (pid) => ({ pid, started: startTime(pid) });

function isAlive({ pid, started }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return startTime(pid) === started;
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Takes the lock, waiting while its holder, or a tool that a killed holder left behind, lives. */
export async function takeLock(path, { onWait }) {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}`;
  const hold = (holders) => writeFileSync(draft, JSON.stringify(holders));
  const mine = [identity(process.pid)];
  hold(mine);
  let told = false;
  for (;;) {
    try {
      // Unlike creating and writing, linking never shows anybody an empty lock.
      linkSync(draft, path);
      rmSync(draft);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holders = read(path);
    if (holders?.some(isAlive)) {
      if (!told) onWait(holders[0].pid);
      told = true;
      await sleep(500);
    } else {
      removeDead(path);
      await sleep(50);
    }
  }
  return {
    /** Names a tool whose life also holds the lock: it outlives a holder that is killed. */
    add(pid) {
      mine.push(identity(pid));
      hold(mine);
      renameSync(draft, path);
    },
    release() {
      rmSync(path, { force: true });
    },
  };
}

/** Removes a dead holder's lock; the guard lets only one waiter do so, after looking again. */
function removeDead(path) {
  const guard = `${path}.takeover`;
  try {
    writeFileSync(guard, '', { flag: 'wx' });
  } catch {
    // Removing takes a millisecond; a guard this old belongs to a waiter that was killed in it.
    if (Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 10_000)
      rmSync(guard, { force: true });
    return;
  }
  if (!read(path)?.some(isAlive)) rmSync(path, { force: true });
  rmSync(guard, { force: true });
}
