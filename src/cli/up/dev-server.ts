import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { Config } from '../../config.ts';
import { SEARCH_ATTRIBUTES } from '../../temporal/search-attributes.ts';
import { type Child, startChild } from '../child.ts';
import { CliError } from '../exit.ts';

/** Ports of Temporal's own dev server: what clients and people try first. */
export const SERVER_PORT = 7233;
export const UI_PORT = 8233;

export interface DevServerOptions {
  port: number;
  ui_port: number;
}

export const databaseOf = (config: Config) => join(config.root, '.gavel/temporal.db');
export const serverLogOf = (config: Config) => join(config.root, '.gavel/logs/temporal.log');

/** Arguments of `temporal server start-dev`. */
export function devServerArgs(config: Config, { port, ui_port }: DevServerOptions): string[] {
  return [
    ...['server', 'start-dev', '--db-filename', databaseOf(config)],
    ...['--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(ui_port), '--ui-disable-news-fetch'],
    ...['--log-level', 'warn', '--log-format', 'json'],
    ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
  ];
}

/**
 * The server does not notice that its parent died, so a shell beside it does: it waits on the pipe to the parent
 * and ends the server when that closes. The server's own exit status comes through.
 */
const WATCH_PARENT =
  'exec 3<&0; "$@" & server=$!; (cat <&3 >/dev/null; kill "$server") 2>/dev/null & trap "kill $server" TERM INT; wait "$server"; code=$?; wait "$server" 2>/dev/null; exit $code';

/** Starts the official Temporal server on a SQLite file and waits until it answers. */
export async function startDevServer(config: Config, options: DevServerOptions): Promise<Child> {
  const log = serverLogOf(config);
  const args = ['-c', WATCH_PARENT, 'sh', config.temporal_cli, ...devServerArgs(config, options)];
  const child = startChild({ command: '/bin/sh', args, env: process.env, log });
  const address = `127.0.0.1:${options.port}`;
  let dead: number | null = null;
  child.ended.then(({ code }) => {
    dead = code ?? 1;
  });
  // It is up in about a second; a cold disk and a database of many runs take longer.
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (dead !== null) break;
    if (await answers(address)) return child;
    await sleep(100);
  }
  await child.stop('SIGTERM', 3000);
  const quoted = child.lines.slice(-5).map((line) => `\n    ${line}`);
  throw new CliError(
    `Expected the Temporal server to answer at ${address}, got ${dead === null ? 'no answer in 60 s' : `exit status ${dead}`}:${quoted.join('')}\nLog: ${log}`,
    { hint: '`gavel doctor` says what is missing.' },
  );
}

async function answers(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '1s' });
    await connection.workflowService.describeNamespace({ namespace: 'default' });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}
