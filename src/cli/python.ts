import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { type Config, pythonEnv } from '../config.ts';
import { CliError } from './exit.ts';

/** Runs Python on this terminal and returns its exit code; Ctrl-C reaches it by itself. */
export function runPython(config: Config, args: string[], env: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(config.python, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...pythonEnv(config, true), ...env },
    });
    // The child decides what a signal means; this process waits to report its end.
    const wait = () => {};
    process.on('SIGINT', wait);
    child.on('error', () =>
      reject(new CliError(`Expected a Python at ${config.python}, found none.`, { hint: 'Run `npm run setup`.' })),
    );
    child.on('exit', (code, signal) => {
      process.off('SIGINT', wait);
      resolve(signal ? 128 + constants.signals[signal] : (code ?? 1));
    });
  });
}
