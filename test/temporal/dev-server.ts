import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../src/config.ts';
import { freePort } from '../../src/process/ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface DevServer {
  address: string;
  /** A client of one of its namespaces. */
  client: (namespace: string) => Client;
  end: () => Promise<void>;
}

/** Temporal's own dev server, in memory, with these namespaces besides `default`. */
export async function startDevServer(...namespaces: string[]): Promise<DevServer> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const args = [
    'server',
    'start-dev',
    '--headless',
    '--ip',
    '127.0.0.1',
    '--port',
    String(port),
    '--log-level',
    'error',
  ];
  for (const namespace of namespaces) args.push('--namespace', namespace);
  const child: ChildProcess = spawn(loadConfig().temporal_cli, args, {
    cwd: join(temporaryFolder('temporal')),
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const connection = await connected(address);
  return {
    address,
    client: (namespace) => new Client({ connection, namespace }),
    end: async () => {
      await connection.close();
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function connected(address: string): Promise<Connection> {
  for (const until = Date.now() + 60_000; ; ) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '1s' });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return connection;
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(100);
    }
  }
}
