import { Chalk } from 'chalk';
import { loadConfig } from '../config.ts';
import { plainText } from '../plain-text.ts';
import { CliError, EXIT } from './exit.ts';

/** Errors of other modules that are written for the person who runs the command; named, so that none need be loaded. */
const WRITTEN_FOR_PEOPLE = [
  'SpecError',
  'UnusableFile',
  'RubricError',
  'ContractError',
  'InvalidRunName',
  'ChildStartError',
  'GatewayError',
  'NotARoot',
];

/** Prints an error for a person, and returns the exit code. */
export function printError(error: unknown): number {
  const { debug, color } = loadConfig();
  const paint = new Chalk({ level: color && process.stderr.isTTY ? 1 : 0 });
  const name = error instanceof Error ? error.name : '';
  const known = error instanceof CliError || WRITTEN_FOR_PEOPLE.includes(name);
  // Messages quote what was found, which may be anything.
  const message = plainText(error instanceof Error ? error.message : String(error));
  console.error(`${paint.red('error:')} ${message}`);
  if (error instanceof CliError && error.hint) console.error(plainText(error.hint));
  if (debug && error instanceof Error) console.error(plainText(error.stack ?? ''));
  else if (!known) console.error('Set GAVEL_DEBUG=1 to see the stack.');
  if (['SpecError', 'UnusableFile', 'RubricError', 'InvalidRunName'].includes(name)) return EXIT.usage;
  return error instanceof CliError ? error.code : EXIT.failed;
}
