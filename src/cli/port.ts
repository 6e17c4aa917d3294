import { freePort, portTaken } from '../process/ports.ts';
import { CliError, EXIT } from './exit.ts';

const HOST = '127.0.0.1';

/** The wanted port, or a free one where it is taken. */
export const portNear = async (wanted: number): Promise<number> =>
  (await portTaken(HOST, wanted)) ? freePort(HOST) : wanted;

/** Refuses a port that is taken, naming its holder and the option that chooses another. */
export async function needPort(port: number, option: string, host = HOST): Promise<void> {
  const taken = await portTaken(host, port);
  if (taken)
    throw new CliError(taken, { hint: `Choose another with ${option} PORT; \`gavel doctor\` shows what is taken.` });
}

/** Reads a port given on the command line. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new CliError(`Expected a port from 1 to 65535, got ${text}.`, { code: EXIT.usage });
}
