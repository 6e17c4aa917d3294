import type { Command } from 'commander';
import { RunStatus } from '../contracts/status.ts';
import { steer } from './steer.ts';

export function define(program: Command): void {
  program
    .command('pause')
    .argument('<run>', 'name of a run that goes on')
    .description(
      'The stage commits at its next step boundary and ends, servers included. Its GPUs are free until `gavel resume`.',
    )
    .option('--json', 'print the status as JSON')
    .action(async (run: string, { json }: { json?: boolean }) => {
      const status = RunStatus.parse(await steer(run, (handle) => handle.executeUpdate('pause')));
      const stage = status.stages[status.stage];
      if (json) return console.log(JSON.stringify(status));
      if (stage?.state !== 'paused') return console.log(`Run ${run} stops before its next stage or step.`);
      console.log(
        `Run ${run} is paused in ${status.stage}${stage.checkpoint ? ` after ${stage.checkpoint}` : ''}. Continue it with \`gavel resume ${run}\`.`,
      );
    });
}
