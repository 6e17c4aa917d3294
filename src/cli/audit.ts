import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { type Config, loadConfig } from '../config.ts';
import { Audit, ExternalAuditRequest } from '../contracts/audit.ts';
import { GradingMode } from '../contracts/mode.ts';
import { Outcome } from '../contracts/stage.ts';
import { startGateway } from '../gateway/server.ts';
import { canonicalRubric, loadRubric } from '../judging/rubric.ts';
import { claimEpoch } from '../run-directory/claim-epoch.ts';
import { readContract, readContractIfAny, writeAtomic } from '../run-directory/files.ts';
import { pathsIn } from '../run-directory/paths.ts';
import { type AuditedModels, gatewayConfig } from './audited-models.ts';
import { paintVerdict } from './colors.ts';
import { CliError, EXIT, exitOfVerdict } from './exit.ts';
import { progressPrinter } from './progress-lines.ts';
import { runPython } from './python.ts';
import { measureText, type Row, table } from './summary.ts';

interface AuditOptions extends AuditedModels {
  data: string;
  out: string;
  rubric: string;
}

export function define(program: Command): void {
  program
    .command('audit')
    .description(
      'Has a grader, and a judge if there is one, grade rows {id, prompt, completion, ground_truth? | is_correct?} and measures\nfidelity to the judge and agreement with the truth. Exits with 0 for PASS, 3 for FAIL, 4 for INCONCLUSIVE.',
    )
    .requiredOption('--endpoint <url>', "the grader's URL, up to and including /v1")
    .requiredOption('--model <name>', "the grader's name there")
    .requiredOption('--data <rows>', 'JSON Lines file of rows')
    .requiredOption(
      '--out <dir>',
      'folder for audit.json, verdicts and traces; verdicts that it holds are not asked for again',
    )
    .requiredOption('--rubric <file>', 'rubric that both grade by (YAML)')
    .addOption(new Option('--mode <mode>', "the grader's mode").choices(GradingMode.options).default('single_token'))
    .addOption(engineOption('--engine', 'what serves the grader: vllm can begin and constrain an answer'))
    .option('--judge-endpoint <url>', "the judge's URL: needed for fidelity")
    .option('--judge-model <name>', "the judge's name there")
    .addOption(new Option('--judge-mode <mode>', "the judge's mode").choices(GradingMode.options).default('reasoned'))
    .addOption(engineOption('--judge-engine', 'what serves the judge'))
    .option('--api-key-env <name>', "variable that holds the grader's key")
    .option('--judge-api-key-env <name>', "variable that holds the judge's key")
    .option('--chat-template-kwargs <json>', "arguments of the grader's chat template", jsonObject)
    .option('--judge-chat-template-kwargs <json>', "arguments of the judge's chat template", jsonObject)
    .option('--tokenizer <folder...>', 'model folders of both: no row may spell their control tokens')
    .option('--concurrency <n>', 'calls in flight at once', '32')
    .action(async (options: AuditOptions) => {
      process.exitCode = await audit(loadConfig(), options);
    });
}

/** Reads a JSON object given on the command line. */
export function jsonObject(text: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    throw new InvalidArgumentError(`Expected a JSON object, say '{"enable_thinking": false}', found ${text}.`);
  }
}

const engineOption = (flag: string, meaning: string): Option =>
  new Option(`${flag} <engine>`, meaning).choices(['vllm', 'openai']).default('openai');

async function audit(config: Config, options: AuditOptions): Promise<number> {
  const out = resolve(options.out);
  const data = resolve(options.data);
  if (!existsSync(data)) throw new CliError(`Expected rows at ${data}, found no such file.`, { code: EXIT.usage });
  if (Boolean(options.judgeEndpoint) !== Boolean(options.judgeModel)) {
    throw new CliError('Expected --judge-endpoint and --judge-model together, got one of them.', { code: EXIT.usage });
  }
  for (const [flag, url] of Object.entries({ endpoint: options.endpoint, 'judge-endpoint': options.judgeEndpoint })) {
    if (url === undefined || URL.canParse(url)) continue;
    throw new CliError(`--${flag}: expected a URL up to and including /v1, found ${url}.`, { code: EXIT.usage });
  }
  const rubric = loadRubric(resolve(options.rubric));
  const folder = pathsIn(out);
  if (existsSync(folder.run_json)) {
    throw new CliError(`Expected --out to be a folder of this audit's own, got the run directory ${out}.`, {
      code: EXIT.usage,
    });
  }
  for (const tokenizer of options.tokenizer ?? []) {
    if (existsSync(join(tokenizer, 'tokenizer.json')) || existsSync(join(tokenizer, 'tokenizer_config.json'))) continue;
    throw new CliError(`--tokenizer: expected a model folder with tokenizer.json, found none in ${tokenizer}.`, {
      code: EXIT.usage,
    });
  }
  await mkdir(out, { recursive: true });
  // With a number of its own, two audits into one folder share their verdicts, and neither writes the other's segments.
  const epoch = await claimEpoch(folder.stage('audit'));
  await writeAtomic(folder.rubric, canonicalRubric(rubric));
  const key = randomBytes(24).toString('base64url');
  const gateway = await startGateway(gatewayConfig(out, epoch, options), key, (event) => {
    if (event.event === 'waiting')
      console.error(`Waiting for the ${event.for} (${event.seconds.toFixed(0)} s): ${event.reason}`);
  });
  try {
    const request = ExternalAuditRequest.parse({
      run: 'external',
      rows: data,
      gateway_url: gateway.url,
      modes: [options.mode],
      judge_mode: options.judgeEndpoint ? options.judgeMode : null,
      reference_guided: rubric.rubric.reference_guided,
      threshold: rubric.rubric.threshold,
    });
    await writeAtomic(join(out, 'request.json'), request);
    const { onLine, end } = progressPrinter();
    const env = { GAVEL_API_KEY: key };
    const code = await runPython(config, ['-m', 'gavel_train.audit.external', out], { env, onLine });
    end();
    if (code !== 0) await fail(out, code);
  } finally {
    await gateway.close();
  }
  const path = join(out, 'audit.json');
  const result = await readContract(path, Audit);
  console.log(`\n${table(rowsOf(result))}\n\nDetails  ${path}`);
  return exitOfVerdict(result.verdict);
}

/** Says why the audit ended without figures, as its process wrote it down. */
async function fail(out: string, code: number): Promise<never> {
  const outcome = await readContractIfAny(join(out, 'outcome.json'), Outcome);
  const where = outcome?.field ? `${outcome.field}: ` : '';
  throw new CliError(`${where}${outcome?.message ?? `The audit ended with exit code ${code}.`}`, {
    code: code === EXIT.usage || code === EXIT.interrupted ? code : EXIT.failed,
  });
}

const percent = (value: number) => `${(100 * value).toFixed(1)}%`;

function rowsOf(audit: Audit): Row[] {
  const { fidelity, truth, coverage } = audit;
  return [
    ['Rows', `${audit.rows} (${audit.prompts} prompts)`],
    ['Agrees with the judge (QWK)', measureText(fidelity?.quadratic_weighted_kappa, (value) => value.toFixed(3))],
    ['Against truth', measureText(truth?.grader.balanced_accuracy, percent)],
    ['Judge against truth', measureText(truth?.judge?.balanced_accuracy, percent)],
    ['Scored', measureText(coverage.grader, percent)],
    ...audit.gates.map(
      (gate): Row => [`Gate ${gate.measure}`, `${paintVerdict(gate.verdict)} (at least ${gate.at_least})`],
    ),
    ['Audit', paintVerdict(audit.verdict)],
  ];
}
