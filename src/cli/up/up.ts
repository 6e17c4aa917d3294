import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { type Config, loadConfig } from '../../config.ts';
import { plainText } from '../../plain-text.ts';
import { createRoot } from '../../run-directory/root.ts';
import { type Child, startChild } from '../child.ts';
import { CliError, EXIT } from '../exit.ts';
import { needPort, parsePort } from '../port.ts';
import { type Stopping, stopping } from '../stopping.ts';
import { databaseOf, SERVER_PORT, startDevServer, UI_PORT } from './dev-server.ts';
import { claimUp, ownUp, readUp, removeUp, type UpState, writeUp } from './state.ts';

const cli = fileURLToPath(new URL('../../cli.ts', import.meta.url));

interface UpOptions {
  port: number;
  uiPort: number;
  supervised?: boolean;
}

export function define(program: Command): void {
  program
    .command('up')
    .description('Runs a Temporal dev server on .gavel/temporal.db and a worker on this machine until Ctrl-C.')
    .option('--port <port>', 'port of the Temporal server', parsePort, SERVER_PORT)
    .option('--ui-port <port>', 'port of the Web UI', parsePort, UI_PORT)
    .addOption(new Option('--supervised', 'end when standard input ends').hideHelp())
    .action((options: UpOptions) => up(loadConfig(), options));
}

async function up(config: Config, { port, uiPort, supervised }: UpOptions): Promise<void> {
  refuseBeside(config, readUp(config));
  // `gavel up` starts a server of its own, so the folder cannot be a wrong mount of another server's root.
  await createRoot(config.root);
  await needPort(port, '--port');
  await needPort(uiPort, '--ui-port');
  const stop = stopping(supervised ?? false);
  const state = ownUp({
    server_pid: null,
    worker_pid: null,
    address: `127.0.0.1:${port}`,
    ui: `http://127.0.0.1:${uiPort}`,
    db: databaseOf(config),
    ready: false,
    started_at: new Date().toISOString(),
  });
  refuseBeside(config, claimUp(config, state));
  try {
    await keepBoth(config, { port, ui_port: uiPort }, state, stop);
  } finally {
    removeUp(config, state);
  }
  // Ctrl-C is how this command is meant to end.
  process.exitCode = stop.asked ? EXIT.ok : EXIT.failed;
}

function refuseBeside({ root }: Config, running: UpState | null): void {
  if (running === null) return;
  throw new CliError(
    `gavel is up already for ${root}: pid ${running.pid}, server ${running.address}, Web UI ${running.ui}.`,
    { hint: 'Use it, or end it with `gavel down`.' },
  );
}

async function keepBoth(
  config: Config,
  ports: { port: number; ui_port: number },
  state: UpState,
  stop: Stopping,
): Promise<void> {
  const children: { worker?: Child; server?: Child } = {};
  const note = (change: Partial<UpState>) => writeUp(config, Object.assign(state, change));
  const server = keepAlive('Temporal server', stop, async () => {
    children.server = await startDevServer(config, ports);
    note({ server_pid: children.server.pid });
    return children.server;
  });
  try {
    await Promise.race([server.first, stop.promise]);
    if (stop.asked) return;
    console.log(`Temporal server  ${state.address}  (${state.db})\nWeb UI           ${state.ui}`);
    const sayReady = (queue: string) => {
      if (state.ready) return console.log('The worker is back.');
      note({ ready: true });
      console.log(
        `Worker           polls ${queue} as ${config.node}\nReady. Start a run with \`gavel run SPEC\`; Ctrl-C ends both.`,
      );
    };
    const worker = keepAlive('worker', stop, async () => {
      children.worker = startWorker(config, state, sayReady);
      note({ worker_pid: children.worker.pid });
      return children.worker;
    });
    await Promise.race([worker.over, server.over, stop.promise]);
  } finally {
    stop.over = true;
    // The worker ends first, because it still reports to the server.
    await children.worker?.stop('SIGTERM', 40_000);
    await children.server?.stop('SIGTERM', 5000);
  }
}

/** Starts a child again when a signal ended it; its end by exit status is a failure that a restart would only repeat. */
function keepAlive(
  name: string,
  stop: Stopping,
  start: () => Promise<Child>,
): { first: Promise<unknown>; over: Promise<never> } {
  const first = start();
  const over = (async (): Promise<never> => {
    for (let child = await first; ; child = await start()) {
      const { code, signal } = await child.ended;
      if (stop.asked || stop.over) return new Promise<never>(() => {});
      // A shell reports the signal that ended its child as 128 + its number.
      if (signal === null && (code ?? 0) <= 128) {
        const quoted = child.lines.slice(-8).map((line) => `\n    ${line}`);
        throw new CliError(`The ${name} ended with exit status ${code}:${quoted.join('')}`);
      }
      console.error(`The ${name} was ended by ${signal ?? `signal ${(code ?? 128) - 128}`}; starting it again in 1 s.`);
      await sleep(1000);
      if (stop.asked || stop.over) return new Promise<never>(() => {});
    }
  })();
  over.catch(() => {});
  return { first, over };
}

function startWorker(config: Config, { address }: UpState, onReady: (queue: string) => void): Child {
  const isNews = newsFilter();
  return startChild({
    command: config.node_binary,
    args: ['--no-warnings', cli, 'worker', '--supervised'],
    env: { ...process.env, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'default' },
    log: join(config.root, '.gavel/logs/worker.log'),
    onLine: (line) => {
      const queue = /^Worker .* polls (.*)\.$/.exec(line)?.[1];
      if (queue !== undefined) onReady(queue);
      else if (isNews(line)) console.log(plainText(line));
    },
  });
}

/** Selects the worker's lines for the terminal: messages of the SDK about itself, which may have several lines, stay in the log. */
function newsFilter(): (line: string) => boolean {
  let level = '';
  return (line) => {
    level = /^\S+Z \[([A-Z]+)\]/.exec(line)?.[1] ?? level;
    // The queue of a node is for activities alone.
    return !['INFO', 'DEBUG', 'TRACE'].includes(level) && !line.includes('No workflows registered');
  };
}
