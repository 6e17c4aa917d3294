import { type Command, Option } from 'commander';
import { loadConfig } from '../../config.ts';
import { GatewayRole } from '../../contracts/gateway.ts';
import { GradingMode } from '../../contracts/mode.ts';
import { plainJson } from '../../plain-text.ts';
import { EXIT } from '../exit.ts';
import type { CheckOptions } from './options.ts';

const EXAMPLES = `
Examples:
  gavel rubric check my-rubric.yaml
  gavel rubric check my-rubric.yaml --row rows.jsonl:3 --mode choice --tokenizer models/my-judge
  gavel rubric check my-rubric.yaml --prompt '2+2?' --completion 4 --reply 'It is. Score: 9' --mode reasoned
  gavel rubric check my-rubric.yaml --row rows.jsonl --ask http://127.0.0.1:8000/v1 --model NAME --engine vllm`;

export function define(program: Command): void {
  program
    .command('rubric')
    .description('Works on rubric files.')
    .command('check')
    .argument('<file>', 'rubric, YAML or JSON; see examples/rubrics/')
    .description(
      'Checks a rubric as `gavel run` does, and shows for each of its modes what a judge reads, which answers count, and ' +
        'what verdict a reply gives. Asks no model, unless --ask names one.\n' +
        'Exits with 0 where the rubric can be used, 2 where the file is no rubric, 1 where something else is wrong with it.',
    )
    .option('--row <file[:n]>', 'JSON Lines file whose n-th line (default: the first) is asked about')
    .option('--prompt <text>', 'the prompt that is asked about, instead of that of a row')
    .option('--completion <text>', 'the completion')
    .option('--opponent <text>', 'the completion that it is compared with in mode pairwise')
    .option('--ground-truth <text>', 'the reference')
    .addOption(
      new Option('--mode <mode...>', 'modes to show (default: all of the rubric)').choices(GradingMode.options),
    )
    .option('--tokenizer <dir>', 'model folder: counts tokens, and looks for its control tokens in the row')
    .option('--reply <text>', "a reply to read as the judge's, instead of those that the rubric gives")
    .option('--ask <url>', 'URL of a model, up to and including /v1: asks it once in each mode')
    .option('--model <name>', 'name of the model at the URL')
    .addOption(
      new Option('--engine <engine>', 'what serves it (default: openai)').choices(
        GatewayRole.shape.engine.unwrap().options,
      ),
    )
    .option('--api-key-env <name>', 'variable that holds its key; the key goes to that URL alone')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, options: CheckOptions) => {
      // Loaded late: the gateway takes a second, which help and wrong usage need not wait for.
      const [{ checkRubric }, { checkText }] = await Promise.all([import('./check.ts'), import('./print-check.ts')]);
      const check = await checkRubric(loadConfig(), file, options);
      console.log(options.json ? plainJson(check) : checkText(check));
      if (check.problems.length > 0) process.exitCode = EXIT.failed;
    });
}
