import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config.ts';
import { CliError } from '../exit.ts';
import { portNear } from '../port.ts';
import type { Stopping } from '../stopping.ts';
import { SERVER_PORT, UI_PORT } from './dev-server.ts';
import { readUp, type UpState } from './state.ts';

const cli = fileURLToPath(new URL('../../cli.ts', import.meta.url));

/** A `gavel up` that a demo uses: one that ran already, or one of its own. */
export interface BorrowedUp {
  state: UpState;
  /** true where this demo started it. */
  own: boolean;
  /** Rejects when it ends by itself. */
  died: Promise<never>;
  /** Ends it and waits until all of it is gone; does nothing to one that ran before. */
  end(): Promise<void>;
}

/** Uses the server and worker that are up for this root, or starts them on ports that are free. */
export async function borrowUp(config: Config, { stay, stop }: { stay: boolean; stop: Stopping }): Promise<BorrowedUp> {
  const running = readUp(config);
  if (running)
    return {
      state: await whenReady(config, running.pid, stop),
      own: false,
      died: new Promise(() => {}),
      end: async () => {},
    };
  const port = await portNear(SERVER_PORT);
  const uiPort = await portNear(UI_PORT);
  const log = join(config.root, '.gavel/logs/up.log');
  mkdirSync(dirname(log), { recursive: true });
  const file = openSync(log, 'w');
  const supervised = stay ? [] : ['--supervised'];
  const child = spawn(
    config.node_binary,
    ['--no-warnings', cli, 'up', '--port', String(port), '--ui-port', String(uiPort), ...supervised],
    // A group of its own: Ctrl-C comes to the demo, which then ends things in order. The pipe ends with the demo, also by SIGKILL.
    { detached: true, stdio: [stay ? 'ignore' : 'pipe', file, file] },
  );
  closeSync(file);
  child.stdin?.on('error', () => {});
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const died = ended.then(() => {
    const last = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-8);
    throw new CliError(`The server and worker of the demo ended:\n    ${last.join('\n    ')}\nLog: ${log}`);
  });
  died.catch(() => {});
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
    await ended;
  };
  try {
    const state = await Promise.race([whenReady(config, child.pid as number, stop), died]);
    if (stay) child.unref();
    return { state, own: true, died, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The state of `gavel up` once its server answers and its worker polls; the last state known where a stop is asked for. */
async function whenReady(config: Config, pid: number, stop: Stopping): Promise<UpState> {
  // Loading vLLM's neighbours takes a worker seconds on a busy machine, not minutes.
  const deadline = Date.now() + 120_000;
  while (Date.now() < deadline) {
    const state = readUp(config);
    if (state?.pid === pid && (state.ready || stop.asked)) return state;
    if (stop.asked)
      return {
        pid,
        process: '',
        server_pid: null,
        worker_pid: null,
        address: '',
        ui: '',
        db: '',
        ready: false,
        started_at: '',
      };
    await sleep(100);
  }
  throw new CliError('Expected the server and worker to be ready in 120 s, got no answer.', {
    hint: 'See .gavel/logs/, and run `gavel doctor`.',
  });
}
