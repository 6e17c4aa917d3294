import { type Command, Option } from 'commander';
import { loadConfig } from '../config.ts';
import { temporalAddress } from './connect.ts';

interface WorkerOptions {
  node?: string;
  workflows?: boolean;
  activities?: boolean;
  supervised?: boolean;
}

export function define(program: Command): void {
  program
    .command('worker')
    .description(
      'Runs workflows and activities for the Temporal server that TEMPORAL_ADDRESS or a profile names.\nWithout --workflows or --activities it does both.',
    )
    .option('--node <name>', "this machine's name (default: GAVEL_NODE, else the host name)")
    .option('--workflows', 'workflows only: needs no GPU')
    .option('--activities', 'activities only: a GPU node')
    .addOption(new Option('--supervised', 'end when standard input ends').hideHelp())
    .action(async ({ node, workflows, activities, supervised }: WorkerOptions) => {
      const config = loadConfig();
      // Read from the environment by the worker's own connection; without it, the server that `gavel up` keeps.
      process.env.TEMPORAL_ADDRESS = temporalAddress(config).address;
      // Loaded here alone: the worker's native module takes a second that no other command should pay.
      const { runWorker } = await import('../worker.ts');
      if (supervised) {
        const end = () => process.kill(process.pid, 'SIGTERM');
        process.stdin.on('end', end).on('error', end).resume();
      }
      const both = !workflows && !activities;
      const roles = { workflows: both || workflows === true, activities: both || activities === true };
      const named = node === undefined ? config : { ...config, node };
      await runWorker(named, roles, (queue) => console.log(`Worker ${named.node} polls ${queue}.`));
    });
}
