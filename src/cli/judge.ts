import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { baseUrl } from '../contracts/base-url.ts';
import { bindingOf } from '../key-hosts.ts';
import { plainText } from '../plain-text.ts';
import { readSpec } from '../run-directory/create-run.ts';
import { readEndpoint } from '../serving/endpoints.ts';
import { publishJudgeAt } from '../serving/engines/openai.ts';
import { CliError, EXIT } from './exit.ts';
import { pathsOf } from './watch/follow-run.ts';

export function define(program: Command): void {
  program
    .command('judge')
    .argument('<run>', 'name of a run')
    .description(
      'Prints the URL of the judge of a run; --url sets the URL that it has moved to. A run that waits for the judge then asks there.',
    )
    .option('--url <url>', 'new base URL, up to and including /v1; only for a judge that gavel does not serve itself')
    .action(async (run: string, { url }: { url?: string }) => {
      const paths = pathsOf(loadConfig(), run);
      const now = await readEndpoint(paths, 'judge').catch(() => null);
      if (url === undefined) return console.log(plainText(now?.base_url ?? 'The judge is not served at the moment.'));
      if (!baseUrl().safeParse(url).success) {
        throw new CliError(`--url: expected a URL such as http://judge.example:8000/v1, found ${url}.`, {
          code: EXIT.usage,
        });
      }
      const { judge } = await readSpec(paths).catch(() => {
        throw new CliError(`There is no run ${run}.`, { hint: '`gavel status` lists the runs.' });
      });
      if (judge.engine !== 'openai') {
        throw new CliError(
          `Expected a judge with judge.engine openai, found ${judge.engine} in run ${run}: gavel serves that judge and sets its URL itself.`,
        );
      }
      await publishJudgeAt(judge, paths, url, new URL(url).hostname);
      console.log(`The judge of ${run} is at ${url} now.`);
      if (judge.api_key_env === null) return;
      console.log(
        `The worker sends its key there only if GAVEL_KEYS binds ${judge.api_key_env} to ${bindingOf(url)}; else the run waits and reports that.`,
      );
    });
}
