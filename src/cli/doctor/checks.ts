import type { Config } from '../../config.ts';
import { portTaken } from '../../process/ports.ts';
import { connect, pollers, temporalAddress } from '../connect.ts';
import { queueIfAny } from '../root.ts';
import { readUp } from '../up/state.ts';

/** One thing that `gavel doctor` looked at. */
export interface Check {
  name: string;
  ok: boolean;
  /** false: gavel works without it, so its absence is only noted. */
  needed: boolean;
  found: string;
  /** Command that fixes it, where there is one. */
  fix: string | null;
}

/** Whether Temporal answers, a worker polls, and the ports of `gavel up` are free where nothing is up. */
export async function checkServer(config: Config): Promise<Check[]> {
  const { address } = temporalAddress(config);
  try {
    const server = await connect(config);
    const queue = queueIfAny(config);
    const polled = queue === null ? 0 : await pollers(server, queue);
    await server.close();
    return [
      { name: 'Temporal', ok: true, needed: false, found: `answers at ${address}`, fix: null },
      {
        name: 'worker',
        ok: (polled ?? 0) > 0,
        needed: false,
        found: workers(queue, polled),
        fix: 'gavel worker',
      },
    ];
  } catch {
    return [
      { name: 'Temporal', ok: false, needed: false, found: `no answer at ${address}`, fix: 'gavel up' },
      ...(await checkPorts(config)),
    ];
  }
}

function workers(queue: string | null, polled: number | null): string {
  if (queue === null) return 'not asked: GAVEL_ROOT is no root, so it has no task queue';
  return polled ? `${polled} poll the task queue ${queue}` : `no worker polls the task queue ${queue}`;
}

async function checkPorts(config: Config): Promise<Check[]> {
  if (readUp(config)) return [];
  const ports: [number, string][] = [
    [7233, '--port'],
    [8233, '--ui-port'],
  ];
  return Promise.all(
    ports.map(async ([port, option]) => {
      const taken = await portTaken('127.0.0.1', port);
      return {
        name: `port ${port}`,
        ok: taken === null,
        needed: false,
        found: taken ?? 'free',
        fix: `gavel up ${option} PORT`,
      };
    }),
  );
}
