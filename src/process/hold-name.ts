import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimFile, ownProcess } from './claim-file.ts';

/** Gives the name back. */
export type Release = () => void;

/**
 * Holds a name on this machine until it is released or this process ends, however it does; null where another process holds it.
 * `name`: at most 100 characters that may be in the name of a file.
 */
export async function holdName(name: string, platform: string = process.platform): Promise<Release | null> {
  return platform === 'linux' ? bound(name) : claimed(join(tmpdir(), `${name}.lock`));
}

/** Binds an abstract socket: the kernel gives the name back with its process, and no file is left. */
function bound(name: string): Promise<Release | null> {
  // No client has a reason to connect; a connection must not keep this process alive.
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen({ path: `\0${name}` }, () => resolve(() => server.close()));
  });
}

function claimed(path: string): Release | null {
  return claimFile(path, { process: ownProcess() }) === null ? () => rmSync(path, { force: true }) : null;
}
