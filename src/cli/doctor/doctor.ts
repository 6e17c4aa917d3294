import type { Command } from 'commander';
import { loadConfig } from '../../config.ts';
import { paint } from '../colors.ts';
import { EXIT } from '../exit.ts';
import { type Check, checkServer } from './checks.ts';
import { checkMachine } from './machine.ts';

export function define(program: Command): void {
  program
    .command('doctor')
    .description(
      'Checks Node, Python, packages, GPUs, ports, the Temporal server, models and the disk, and prints the command that installs what is missing. Exits with 1 where something needed is missing.',
    )
    .option('--json', 'print it as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const config = loadConfig();
      const checks = [...(await checkMachine(config)), ...(await checkServer(config))];
      console.log(json ? JSON.stringify({ ok: checks.every(fine), checks }, null, 2) : doctorText(checks));
      process.exitCode = checks.every(fine) ? EXIT.ok : EXIT.failed;
    });
}

const fine = ({ ok, needed }: Check): boolean => ok || !needed;

/** One line for each check: a mark and what was found; a second line with the fix where something is missing. */
export function doctorText(checks: Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, ok, needed, found, fix }) => {
    const mark = ok ? paint.green('ok  ') : needed ? paint.red('MISS') : paint.yellow('note');
    const line = `${mark}  ${name.padEnd(width)}  ${found}`;
    return ok || fix === null ? [line] : [line, `      ${' '.repeat(width)}  fix: ${paint.bold(fix)}`];
  });
  const missing = checks.filter((check) => !fine(check)).length;
  return [
    ...lines,
    '',
    missing === 0
      ? 'Nothing needed is missing.'
      : `${missing} needed ${missing === 1 ? 'thing is' : 'things are'} missing.`,
  ].join('\n');
}
