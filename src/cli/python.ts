import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { type Config, pythonEnv } from '../config.ts';
import { CliError } from './exit.ts';

interface PythonOptions {
  env?: Record<string, string>;
  /** Gets each line of standard output; without it the output goes to this terminal. */
  onLine?: (line: string) => void;
}

/** Runs Python on this terminal and returns its exit code; Ctrl-C reaches it by itself. */
export function runPython(config: Config, args: string[], { env = {}, onLine }: PythonOptions = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(config.python, args, {
      // Nothing is written to its standard input, whose end tells it that this process is gone, however it died.
      stdio: ['pipe', onLine ? 'pipe' : 'inherit', 'inherit'],
      env: { ...process.env, ...pythonEnv(config, true), ...env },
    });
    if (child.stdout && onLine) createInterface({ input: child.stdout }).on('line', onLine);
    // The child decides what a signal means; this process waits to report its end.
    const wait = () => {};
    process.on('SIGINT', wait);
    child.on('error', () =>
      reject(new CliError(`Expected a Python at ${config.python}, found none.`, { hint: 'Run `npm run setup`.' })),
    );
    child.on('close', (code, signal) => {
      process.off('SIGINT', wait);
      resolve(signal ? 128 + constants.signals[signal] : (code ?? 1));
    });
  });
}
