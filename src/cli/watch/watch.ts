import type { Command } from 'commander';
import { type Config, loadConfig } from '../../config.ts';
import { EXIT, exitOfVerdict } from '../exit.ts';
import { stopping } from '../stopping.ts';
import { statusText } from './draw-run.ts';
import { watchRun } from './watch-run.ts';

export function define(program: Command): void {
  program
    .command('watch')
    .argument('<run>', 'name of a run')
    .description("Shows a run's progress until it is over. Ctrl-C ends the watching, not the run.")
    .action(async (run: string) => {
      process.exitCode = await watchToEnd(loadConfig(), run);
    });
}

/** Watches a run to its end and says how it ended; the exit code tells failure and the audit's verdict. */
export async function watchToEnd(config: Config, run: string): Promise<number> {
  const stop = stopping();
  const watching = watchRun(config, run, () => stop.asked);
  const view = await Promise.race([watching, stop.promise.then(() => null)]);
  if (!view || stop.asked) {
    console.error(`\nStopped watching; the run goes on. Watch it again with \`gavel watch ${run}\`.`);
    return EXIT.interrupted;
  }
  console.log(`\n${statusText(view)}`);
  return view.state === 'done' ? exitOfVerdict(view.verdict) : EXIT.failed;
}
