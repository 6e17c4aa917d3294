// npm and npx end on SIGTERM and do not pass it on, so the program that they run has to watch for their end.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

// Within the time that a person takes to look whether the processes have ended.
const INTERVAL_MS = 500;
const RUNNER = /(^|[\s/])(npm|npx|pnpm|yarn)(-cli)?(\.[cm]?js)?(\s|$)/;

/** Parent and command line of a process. */
function look(pid) {
  if (existsSync('/proc/self/stat')) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { parent, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') };
  }
  const line = execFileSync('ps', ['-o', 'ppid=,command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  const [, parent, command] = /^(\d+)\s+(.*)$/.exec(line);
  return { parent: Number(parent), command };
}

/** The processes up to the npm that started this one: npm itself, or a shell of its and npm; none where no npm did. */
function npmLine() {
  if (!process.env.npm_execpath) return [];
  try {
    const first = look(process.ppid);
    if (RUNNER.test(first.command)) return [process.ppid];
    if (first.parent > 1 && RUNNER.test(look(first.parent).command)) return [process.ppid, first.parent];
  } catch {
    // It has ended already, or cannot be looked at.
  }
  return [];
}

const isGone = (pid) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
};

/**
 * Calls `end` once when the npm that started this process has ended. Without npm nothing is watched: a shell that ends leaves
 * what runs in its background, `nohup gavel up &` say, alone.
 */
export function whenNpmIsGone(end) {
  const line = npmLine();
  if (line.length === 0) return;
  const timer = setInterval(() => {
    if (process.ppid === line[0] && !line.some(isGone)) return;
    clearInterval(timer);
    end();
  }, INTERVAL_MS);
  timer.unref();
}
