import { readdir, readFile, readlink } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';

/** A port that is free now. Another process may take it first, so the code that starts a server on it must retry. */
export function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** null if `port` can be listened on; else one sentence that says who has it, as far as that can be seen. */
export async function portTaken(host: string, port: number): Promise<string | null> {
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
  // Connecting too: with SO_REUSEADDR a wildcard listener does not stop us from listening on one address.
  if (!error && !(await answers(host, port))) return null;
  if (error && error.code !== 'EADDRINUSE') return `Cannot listen on ${host}:${port}: ${error.message}.`;
  const holder = await holderOf(port);
  return `Port ${port} on ${host} is taken${holder ? ` by ${holder}` : ''}.`;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    // A host that drops packets; the local machine answers in a millisecond.
    socket.setTimeout(500, () => done(false));
  });
}

/** "pid 12 (command line)" of the process that listens on `port`; null where the system does not tell. */
async function holderOf(port: number) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  const inodes = new Set<string>();
  for (const line of tables.join('\n').split('\n')) {
    const fields = line.trim().split(/\s+/);
    // Column 1: local address:port; column 3: state, 0A is LISTEN; column 9: inode.
    if (fields[1]?.endsWith(`:${hex}`) && fields[3] === '0A') inodes.add(`socket:[${fields[9]}]`);
  }
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      if (!inodes.has(target)) continue;
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0').filter(Boolean);
      return `pid ${pid} (${words.join(' ').slice(0, 120)})`;
    }
  }
  return null;
}
