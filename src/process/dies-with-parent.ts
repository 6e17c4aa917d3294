import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';

// Of util-linux, which every distribution for GPUs has.
const SETPRIV = '/usr/bin/setpriv';
const SHELL = '/bin/sh';
// No signal comes for a parent that died before setpriv asked for one: then the child has another parent by now. 143: ended by SIGTERM.
const UNLESS_ORPHANED = '[ "$PPID" = "$0" ] || exit 143; exec "$@"';

/**
 * The command with which `program` gets SIGTERM when this process dies, from its first moment on: before an interpreter has started
 * it does not look at its standard input, and on a busy machine that is seconds. What it is given once it has a handler is its own
 * affair. As it came where there is no setpriv, or no such program.
 */
export function diesWithParent(program: string, args: readonly string[]): [string, string[]] {
  if (!isAbsolute(program) || !isRunnable(program) || !isRunnable(SETPRIV)) return [program, [...args]];
  // The kernel looks at the thread that starts it: ours is the main one, which ends with the process.
  return [SETPRIV, ['--pdeathsig', 'TERM', SHELL, '-c', UNLESS_ORPHANED, String(process.pid), program, ...args]];
}

function isRunnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
