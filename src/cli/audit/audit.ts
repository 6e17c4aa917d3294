import type { Command } from 'commander';
import { loadConfig } from '../../config.ts';
import { exitOfVerdict } from '../exit.ts';
import { type AuditOptions, addOptions } from './options.ts';
import { definePlan } from './plan.ts';
import { printJson, printResult } from './print-result.ts';
import { readRequest } from './read-request.ts';

const EXAMPLES = `
Examples:
  # A grader and a judge behind URLs. The rubric says what both are asked.
  gavel audit --data rows.jsonl --out audit-1 --rubric rubric.yaml \\
    --grader https://grader.example.com/v1 --grader-model NAME --grader-key-env GRADER_KEY \\
    --judge https://judge.example.com/v1 --judge-model NAME --judge-key-env JUDGE_KEY
  # Verdicts that exist already. Nothing is asked.
  gavel audit --data rows.jsonl --out audit-2 --grader grader.jsonl --judge judge.jsonl --contestant ann=ann.jsonl
  # How many rows the gates need, before anything is paid.
  gavel audit plan --gates gates.yaml --expect fidelity.grader.headline.quadratic_weighted_kappa=0.75`;

export function define(program: Command): void {
  const command = program
    .command('audit')
    // Else the options of `gavel audit plan` that have the same names would be taken here.
    .enablePositionalOptions()
    .description(
      'Measures whether a grader reproduces a judge and whether it tracks the truth, on rows {id, prompt, completion, ground_truth? | is_correct?}.\n' +
        'Needs no run, no Temporal and no GPU. The same command again continues an audit that ended early.\n' +
        'Exits with 0 for PASS, 3 for FAIL, 4 for INCONCLUSIVE.',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: AuditOptions) => {
      const config = loadConfig();
      const call = readRequest(config, options);
      // Loaded late: the gateway and the charts take a second, which help and wrong usage need not wait for.
      const [{ runAudit }, { writeReport }, { alone, onFullDisk }] = await Promise.all([
        import('./run-audit.ts'),
        import('./write-report.ts'),
        import('./out-folder.ts'),
      ]);
      const { audit, places } = await alone(call.out, () =>
        onFullDisk(call.out, async () => {
          const audit = await runAudit(config, call);
          return { audit, places: await writeReport(call, audit) };
        }),
      );
      if (options.json) printJson(audit);
      else printResult(audit, places);
      process.exitCode = exitOfVerdict(audit.verdict);
    });
  addOptions(command);
  definePlan(command);
}
