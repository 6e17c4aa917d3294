import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { loadConfig } from '../../config.ts';
import { runs } from '../../process/stat.ts';
import { CliError } from '../exit.ts';
import { readUp } from './state.ts';

export function define(program: Command): void {
  program
    .command('down')
    .description(
      'Ends the server and the worker of this GAVEL_ROOT. A run in progress continues when they start again.',
    )
    .action(down);
}

async function down(): Promise<void> {
  const state = readUp(loadConfig());
  if (!state) {
    console.log('Nothing is up.');
    return;
  }
  process.kill(state.pid, 'SIGINT');
  // A worker may take half a minute to let its trainer checkpoint.
  const deadline = Date.now() + 60_000;
  while (runs(state.process) && Date.now() < deadline) await sleep(100);
  if (runs(state.process))
    throw new CliError(`Expected pid ${state.pid} to end in 60 s, got a process that still runs.`);
  console.log(`Ended: server ${state.address} and its worker.`);
}
