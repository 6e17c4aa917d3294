import { readFileSync } from 'node:fs';

/** Sockets that listen for TCP connections on this machine, by port: a socket's number is its own, while a port may be taken again. */
export function listeners(): Map<number, Set<string>> {
  const found = new Map<number, Set<string>>();
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of tableOf(path)) {
      const fields = line.trim().split(/\s+/);
      // Column 1: local address:port; column 3: state, 0A is LISTEN; column 9: number of the socket.
      const [address, state, socket] = [fields[1], fields[3], fields[9]];
      if (state !== '0A' || !address || !socket) continue;
      const port = Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
      found.set(port, (found.get(port) ?? new Set()).add(socket));
    }
  }
  return found;
}

function tableOf(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').split('\n');
  } catch {
    // A machine without IPv6 has no table of it.
    return [];
  }
}
