import { type Command, InvalidArgumentError, Option } from 'commander';
import { GradingMode } from '../../contracts/mode.ts';
import { AuditSpec } from '../../contracts/spec/audit.ts';

/** What `gavel audit` takes. */
export interface AuditOptions {
  data?: string;
  out?: string;
  grader?: string;
  graderModel?: string;
  graderKeyEnv?: string;
  judge?: string;
  judgeModel?: string;
  judgeKeyEnv?: string;
  base?: string;
  baseModel?: string;
  baseKeyEnv?: string;
  contestant?: string[];
  rubric?: string;
  mode?: GradingMode[];
  judgeMode?: GradingMode;
  gates?: string;
  slice?: string[];
  maxRows?: number;
  concurrency: number;
  confidence: number;
  yes?: boolean;
  confirmAbove: number;
  json?: boolean;
}

const WHO = 'URL up to and including /v1, contestant file (.yaml, .yml, .json) or file of verdicts (.jsonl)';

/** None is mandatory for commander, which would ask for them in the subcommand too; `gavel audit` looks for them itself. */
export function addOptions(command: Command): Command {
  return command
    .option('--data <rows>', 'JSON Lines file of rows (needed)')
    .option('--out <dir>', 'folder for report, audit.json, verdicts and traces; nothing in it is asked again (needed)')
    .option('--grader <who>', `who is audited: ${WHO} (needed)`)
    .option('--grader-model <name>', 'name of the model at the URL')
    .option('--grader-key-env <name>', 'variable that holds its key; the key goes to that URL alone')
    .option('--judge <who>', 'whom the grader should agree with: the same three; needed for fidelity')
    .option('--judge-model <name>', 'name of the model at the URL')
    .option('--judge-key-env <name>', 'variable that holds its key')
    .option('--base <who>', 'the grader before its training: the same three')
    .option('--base-model <name>', 'name of the model at the URL')
    .option('--base-key-env <name>', 'variable that holds its key')
    .option('--contestant <name=file...>', 'any other, by its file of verdicts')
    .option(
      '--rubric <file>',
      'rubric to grade by (YAML); needed where an endpoint is asked, else it gives the threshold',
    )
    .addOption(
      new Option('--mode <mode...>', "the grader's modes, the headline mode first (default: single_token)").choices(
        GradingMode.options,
      ),
    )
    .addOption(new Option('--judge-mode <mode>', "the judge's mode (default: reasoned)").choices(GradingMode.options))
    .option('--gates <file>', "list of gates, YAML or JSON (default: those of a spec's audit.gates)")
    .option('--slice <field...>', `fields to slice the rows by (default: ${AuditSpec.parse({}).slices.join(' ')})`)
    .option('--max-rows <n>', 'audit the first rows only', wholeNumber)
    .option('--concurrency <n>', 'calls to one endpoint in flight at once', wholeNumber, 32)
    .option('--confidence <level>', 'level of the intervals', share, 0.95)
    .option('--yes', 'ask without a question, however many calls it takes')
    .option('--confirm-above <calls>', 'calls above which a person has to say yes', wholeNumber, 1000)
    .option('--json', 'print audit.json on standard output, and nothing else there');
}

/** A positive whole number from the command line. */
export function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`Expected a whole number, at least 1, got ${text}.`);
}

/** A number between 0 and 1, both left out. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value < 1) return value;
  throw new InvalidArgumentError(`Expected a number between 0 and 1, got ${text}.`);
}
