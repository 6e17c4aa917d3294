import type { Command } from 'commander';
import { RunStatus } from '../contracts/status.ts';
import { steer } from './steer.ts';

export function define(program: Command): void {
  program
    .command('resume')
    .argument('<run>', 'name of a run that was paused')
    .description(
      'Continues a run after `gavel pause`. `gavel run SPEC --resume` continues a run that failed or was cancelled.',
    )
    .option('--json', 'print the status as JSON')
    .action(async (run: string, { json }: { json?: boolean }) => {
      const status = RunStatus.parse(await steer(run, (handle) => handle.executeUpdate('resume')));
      console.log(json ? JSON.stringify(status) : `Run ${run} goes on with ${status.stage}.`);
    });
}
