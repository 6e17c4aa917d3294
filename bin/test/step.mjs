/** One step of the tests: a program, and what it printed. */
import { spawn } from 'node:child_process';

/** So long may a process that the step left behind hold its output before the step is called failed. */
const HELD_MS = 20_000;

/**
 * Runs a program to its end; resolves with its exit status and what it printed, which is empty where it printed on this terminal itself
 * (`held` false). `running` holds the child meanwhile. A process that it leaves behind with its output open makes it fail.
 */
export function runStep({ command: [program, ...args], cwd, env }, { held, running, held_ms = HELD_MS }) {
  return new Promise((resolve) => {
    const stdio = held ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
    const child = spawn(program, args, { cwd, env, stdio });
    const streams = held ? [child.stdout, child.stderr] : [];
    const printed = [];
    for (const stream of streams) stream.on('data', (chunk) => printed.push(chunk));
    running.add(child);
    let waiting;
    const end = (code) => {
      clearTimeout(waiting);
      running.delete(child);
      resolve({ code, text: Buffer.concat(printed).toString() });
    };
    child.on('error', (error) => {
      console.error(error.message);
      end(127);
    });
    child.on('exit', (code, signal) => {
      waiting = setTimeout(() => {
        printed.push(Buffer.from('\nFAIL  a process that this step has left behind holds its output\n'));
        for (const stream of streams) stream.destroy();
        end(signal ? 130 : code || 1);
      }, held_ms);
    });
    child.on('close', (code, signal) => end(signal ? 130 : code));
  });
}
