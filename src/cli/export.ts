import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { ExportRequest } from '../contracts/export.ts';
import { startGateway } from '../gateway/server.ts';
import { acceptedSegments, whatCounts } from '../ledger/accepted.ts';
import { readSpec } from '../run-directory/create-run.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { renderingGateway } from '../stage/gateway-settings.ts';
import { CliError, EXIT } from './exit.ts';
import { runPython } from './python.ts';
import { pathsOf } from './watch/follow-run.ts';

interface Options {
  format: ExportRequest['format'];
  out: string;
  split: ExportRequest['split'];
  force?: true;
}

export function define(program: Command): void {
  program
    .command('export')
    .argument('<run>', 'name of a run')
    .description(
      "Writes a run's data: verl (parquet of prompts), sft (chat examples from the judge's traces), openai (fine-tuning JSONL).",
    )
    .addOption(
      new Option('--format <format>', 'what the file is for')
        .choices(ExportRequest.shape.format.options)
        .makeOptionMandatory(),
    )
    .requiredOption('--out <file>', 'file to write; .parquet for verl, .jsonl for the others')
    .addOption(
      new Option('--split <split>', 'prompts for verl')
        .choices(ExportRequest.shape.split.unwrap().options)
        .default('train'),
    )
    .option('--force', 'replace the file if it exists')
    .action(async (run: string, { format, out, split, force }: Options) => {
      const config = loadConfig();
      const paths = pathsOf(config, run);
      if (!existsSync(paths.dir)) {
        throw new CliError(`Expected a run named ${run} in ${paths.root}/runs, got none.`, {
          hint: 'List runs with `gavel status`.',
        });
      }
      const request = { run_dir: paths.dir, format, out: resolve(out), split, force: force ?? false };
      const code = await exportRun(config, paths, request);
      process.exitCode = code === 0 || code === EXIT.usage ? code : EXIT.failed;
    });
}

/** Has Python write the file, beside a gateway that renders the rubric of the run for it. */
async function exportRun(
  config: Config,
  paths: RunPaths,
  request: Omit<ExportRequest, 'ledger' | 'gateway_url'>,
): Promise<number> {
  const spec = await readSpec(paths);
  const key = randomBytes(24).toString('base64url');
  // The gateway writes nothing here, so its epoch does not matter.
  const gateway = await startGateway(renderingGateway(spec, paths, 1), key);
  const folder = await mkdtemp(join(tmpdir(), 'gavel-export-'));
  try {
    const path = join(folder, 'request.json');
    const ledger = whatCounts(paths.dir, await acceptedSegments(paths.dir));
    await writeFile(path, JSON.stringify({ ...request, ledger, gateway_url: gateway.url } satisfies ExportRequest));
    return await runPython(config, ['-m', 'gavel_train.grader.export', path], { env: { GAVEL_API_KEY: key } });
  } finally {
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  }
}
