import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import type { Config } from '../config.ts';
import { messageOf } from '../failures.ts';
import { CliError } from './exit.ts';
import { readUp } from './up/state.ts';

/** A Temporal server that answers. */
export interface Server {
  client: Client;
  connection: Connection;
  address: string;
  namespace: string;
  close(): Promise<void>;
}

/** Where Temporal is: its own environment configuration, else the `gavel up` of this root, else a dev server's default. */
export function temporalAddress(config: Config): { address: string; namespace: string; options: ConnectionOptions } {
  let profile: ReturnType<typeof loadClientConfigProfile>;
  try {
    profile = loadClientConfigProfile();
  } catch (error) {
    throw new CliError(`Temporal's configuration cannot be used: ${messageOf(error)}.`, {
      hint: 'See TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE; examples are in temporal-config/.',
    });
  }
  const address = profile.address ?? readUp(config)?.address ?? '127.0.0.1:7233';
  const { connectionOptions, namespace } = toClientOptions({ ...profile, address });
  // Options of the native connection and of the client's have the same names where both have them.
  return { address, namespace: namespace ?? 'default', options: connectionOptions as ConnectionOptions };
}

/** Connects, or says in one message what to do. */
export async function connect(config: Config): Promise<Server> {
  const { address, namespace, options } = temporalAddress(config);
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...options, connectTimeout: '5s' });
  } catch (error) {
    throw new CliError(`Expected Temporal to answer at ${address}, got: ${reason(error)}.`, {
      hint: 'Start it with `gavel up`, or name another server by TEMPORAL_ADDRESS or a profile (TEMPORAL_PROFILE).',
    });
  }
  const client = new Client({ connection, namespace });
  return { client, connection, address, namespace, close: () => connection.close() };
}

/** Connects where a server answers; null where none does. */
export async function tryConnect(config: Config): Promise<Server | null> {
  try {
    return await connect(config);
  } catch (error) {
    if (error instanceof CliError) return null;
    throw error;
  }
}

function reason(error: unknown): string {
  const text = messageOf(error);
  return /connect|deadline|UNAVAILABLE/i.test(text) ? 'no answer' : text.replace(/\.$/, '');
}

/** How many workers poll a task queue; null where the server does not say. */
export async function pollers(server: Server, queue: string): Promise<number | null> {
  try {
    const { pollers } = await server.connection.workflowService.describeTaskQueue({
      namespace: server.namespace,
      taskQueue: { name: queue },
      taskQueueType: 1,
    });
    // A poll lasts a minute; a poller that has not asked since then is gone.
    return pollers?.filter((p) => Number(p.lastAccessTime?.seconds ?? 0) * 1000 > Date.now() - 70_000).length ?? 0;
  } catch {
    return null;
  }
}
