import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { CliError } from './exit.ts';
import { pathsOf } from './watch/follow-run.ts';

export function define(program: Command): void {
  program
    .command('report')
    .argument('<run>', 'name of a run')
    .description("Prints the path of a run's report. Where the run has written none yet, makes one from what is there.")
    .option('--open', 'open it in the browser')
    .action(async (run: string, { open }: { open?: boolean }) => {
      const paths = pathsOf(loadConfig(), run);
      if (!existsSync(paths.dir)) {
        throw new CliError(`Expected a run named ${run} in ${paths.root}/runs, got none.`, {
          hint: 'List runs with `gavel status`.',
        });
      }
      if (!existsSync(paths.report.html)) {
        const { writeReport } = await import('../report/write-report.ts');
        await writeReport(paths);
      }
      console.log(paths.report.html);
      if (open) openFile(paths.report.html);
    });
}

function openFile(path: string): void {
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [path], { detached: true, stdio: 'ignore' });
  child.on('error', () => console.error(`Cannot start ${opener}; open the file in a browser.`));
  child.unref();
}
