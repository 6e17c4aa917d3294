import type { Command } from 'commander';
import { CliError } from './exit.ts';
import { steer } from './steer.ts';

// A worker ends the children within 5 s. Without a worker the run cannot end.
const WAIT_MS = 30_000;

export function define(program: Command): void {
  program
    .command('cancel')
    .argument('<run>', 'name of a run that goes on')
    .description('Ends a run and all of its processes within seconds. Committed checkpoints and traces stay.')
    .action(async (run: string) => {
      const ended = await steer(run, async (handle) => {
        await handle.cancel();
        const late = new Promise<false>((resolve) => setTimeout(resolve, WAIT_MS, false).unref());
        return Promise.race([
          handle.result().then(
            () => true,
            () => true,
          ),
          late,
        ]);
      });
      if (!ended) {
        throw new CliError(
          `Expected run ${run} to end within ${WAIT_MS / 1000} s of its cancel, found it still going on.`,
          {
            hint: 'Check that a worker runs (`gavel doctor`): the run ends as soon as one polls.',
          },
        );
      }
      console.log(`Run ${run} is cancelled. Continue it with \`gavel run runs/${run}/spec.json --resume\`.`);
    });
}
