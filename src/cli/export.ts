import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { loadConfig } from '../config.ts';
import { CliError, EXIT } from './exit.ts';
import { runPython } from './python.ts';
import { pathsOf } from './watch/follow-run.ts';

interface Options {
  format: string;
  out: string;
  split: string;
  force?: true;
}

export function define(program: Command): void {
  program
    .command('export')
    .argument('<run>', 'name of a run')
    .description(
      'Writes what a run gathered: verl (parquet of prompts), sft (chat examples of the judge), openai (fine-tuning JSONL).',
    )
    .addOption(new Option('--format <format>', 'what for').choices(['verl', 'sft', 'openai']).makeOptionMandatory())
    .requiredOption('--out <file>', 'file to write; .parquet for verl, .jsonl for the others')
    .addOption(new Option('--split <split>', 'prompts for verl').choices(['train', 'eval', 'audit']).default('train'))
    .option('--force', 'replace the file where there is one')
    .action(async (run: string, { format, out, split, force }: Options) => {
      const config = loadConfig();
      const paths = pathsOf(config, run);
      if (!existsSync(paths.dir)) {
        throw new CliError(`Expected a run named ${run} in ${paths.root}/runs, got none.`, {
          hint: 'List runs with `gavel status`.',
        });
      }
      const code = await runPython(config, [
        '-m',
        'gavel_train.grader.export',
        paths.dir,
        '--format',
        format,
        '--out',
        resolve(out),
        '--split',
        split,
        ...(force ? ['--force'] : []),
      ]);
      process.exitCode = code === 0 || code === EXIT.usage ? code : EXIT.failed;
    });
}
