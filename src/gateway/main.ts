/** Entry of the gateway process: `node main.ts CONFIG.json`, its key in GAVEL_API_KEY. Ends when its parent does. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { loadConfig } from '../config.ts';
import { GatewayConfig, type GatewayEvent } from '../contracts/gateway.ts';
import { failpoint } from '../failpoints.ts';
import { keepFilesPrivate } from '../process/private-files.ts';
import { errorLine } from './error-line.ts';
import { startGateway } from './server.ts';

const emit = (event: GatewayEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};

function readConfig(path: string | undefined): GatewayConfig {
  if (path === undefined) throw new Error('Expected the path of a gateway configuration (JSON), got nothing.');
  const parsed = GatewayConfig.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  return parsed.data;
}

keepFilesPrivate();
try {
  const gateway = await startGateway(readConfig(process.argv[2]), loadConfig().api_key ?? '', emit);
  const stop = (): void => {
    gateway.close().then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  // The parent holds the other end of standard input: when it dies, however it dies, this ends.
  if (!failpoint('outlive-worker')) process.stdin.on('end', stop).on('error', stop).resume();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
} catch (error) {
  const message = errorLine(error instanceof Error ? error.message : String(error));
  emit({ event: 'failed', message });
  console.error(message);
  process.exit(1);
}
