/** `npm run faults`: runs the real pipeline under seeded faults and says what held and what it cost. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadConfig } from '../../src/config.ts';
import { costsOf } from './check/fault-costs.ts';
import { KINDS } from './faults/all-kinds.ts';
import type { Logged } from './observe/event-log.ts';
import { reportOf } from './report/campaign-report.ts';
import { pageOf, type Stock } from './report/page.ts';
import { startJudge } from './run/judge-vllm.ts';
import { planOf } from './run/plan.ts';
import { runSeed, type SeedResult } from './run/run-seed.ts';
import { SCENARIO_NAMES, type Scenario } from './run/small-spec.ts';

interface Options {
  seed: number;
  seeds: number;
  count: number;
  jobs: number;
  scenario?: Scenario;
  kinds?: string[];
  judge?: string;
  out?: string;
  keep?: boolean;
  json?: boolean;
  plan?: boolean;
  page?: string;
  stock?: string;
  from?: string;
}

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('Expected a whole number, 0 or more.');
  return value;
};

const command = new Command('faults')
  .description(
    'Runs the real pipeline (Temporal server, vLLM, trainers) and injects faults at seeded moments; then checks every\nassertion and prints what each kind of fault cost. Exits 1 where an assertion does not hold.',
  )
  .option('--seed <n>', 'first seed', whole, 1)
  .option('--seeds <n>', 'how many seeds, from the first on', whole, 1)
  .option('--count <n>', 'faults a seed', whole, 5)
  .option('--jobs <n>', 'seeds that run at once', whole, 1)
  .addOption(new Option('--scenario <name>', 'the same for all seeds').choices(SCENARIO_NAMES))
  .option(
    '--kinds <list>',
    `only these kinds, separated by commas: ${KINDS.map(({ kind }) => kind).join(', ')}`,
    (text) => text.split(',').map((kind) => kind.trim()),
  )
  .option('--judge <url>', 'a judge that runs already, instead of starting one')
  .option('--out <folder>', 'where logs and results go (default: a new folder for temporary files)')
  .option('--keep', 'keep the run directories')
  .option(
    '--page <file>',
    'write the results as a page (bench/faults.md, or bench/faults-served.md for --scenario served)',
  )
  .option('--stock <file>', "stock.json of bench/faults/stock/stock.py, to stand beside gavel's figures on the page")
  .option('--from <file>', 'results.json of an earlier campaign: only print it, or write its page')
  .option('--plan', 'print what each seed would do, and do nothing')
  .option('--json', 'print the results as JSON');

async function main(options: Options): Promise<void> {
  const config = loadConfig();
  const seeds = Array.from({ length: options.seeds }, (_, index) => options.seed + index);
  const plans = seeds.map((seed) => planOf({ seed, ...pick(options) }));
  if (options.plan) {
    for (const { seed, scenario, steps, faults } of plans) {
      console.log(
        `${seed}  ${scenario}, ${steps} steps: ${faults.map(({ fault, stage }) => `${fault.kind} (${stage})`).join(', ')}`,
      );
    }
    return;
  }
  if (options.from !== undefined) return finish(measuredAgain(options.from), options);
  const out = options.out ?? mkdtempSync(join(tmpdir(), 'gavel-faults-'));
  mkdirSync(out, { recursive: true });
  const say = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)}  ${line}`);
  const needed = !options.judge && plans.some(({ scenario }) => scenario !== 'managed');
  if (needed) say('starting the judge (vLLM)');
  const judge = needed ? await startJudge(config, out) : null;
  const judge_url = options.judge ?? judge?.url ?? 'http://127.0.0.1:9/v1';
  const results: SeedResult[] = [];
  const queue = [...plans];
  const work = async () => {
    for (let plan = queue.shift(); plan; plan = queue.shift()) {
      const folder = join(out, `seed-${plan.seed}`);
      const { package_root } = config;
      results.push(await runSeed({ plan, folder, package_root, judge_url, keep: options.keep ?? false, say }));
      writeFileSync(join(out, 'results.json'), JSON.stringify(results, null, 2));
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, options.jobs) }, work));
  } finally {
    await judge?.stop();
  }
  finish(results, options);
  say(`logs and results: ${out}`);
}

/** Results as they were written, their costs computed again from the event logs beside them where these were kept. */
function measuredAgain(path: string): SeedResult[] {
  const results = JSON.parse(readFileSync(path, 'utf8')) as SeedResult[];
  return results.map((result) => {
    const log = join(dirname(path), `seed-${result.seed}`, 'events.jsonl');
    if (!existsSync(log)) return result;
    const events = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Logged);
    // Which steps ended up in the final history is known only while the run directory is there.
    const costs = costsOf(result.seed, events, new Set()).map((cost, index) => ({
      ...cost,
      effective: result.costs[index]?.effective ?? 0,
    }));
    return { ...result, costs };
  });
}

function finish(results: SeedResult[], options: Options): void {
  results.sort((a, b) => a.seed - b.seed);
  const { text, ok } = reportOf(results);
  console.log(options.json ? JSON.stringify(results, null, 2) : text);
  if (options.page !== undefined) {
    const stock = options.stock === undefined ? null : (JSON.parse(readFileSync(options.stock, 'utf8')) as Stock);
    const first = results[0]?.seed ?? options.seed;
    const scenario = options.scenario ? `--scenario ${options.scenario} ` : '';
    const command = `npm run faults -- ${scenario}--seed ${first} --seeds ${results.length} --count ${options.count} --jobs ${options.jobs}`;
    writeFileSync(options.page, pageOf(results, stock, command, options.jobs));
  }
  process.exitCode = ok ? 0 : 1;
}

function pick({ count, scenario, kinds }: Options) {
  return { count, ...(scenario && { scenario }), ...(kinds && { kinds }) };
}

await command.action(main).parseAsync();
// Handles of gRPC clients would keep a finished command alive.
process.exit();
