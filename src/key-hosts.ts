/**
 * Which key may go where. The worker's own configuration says it (GAVEL_KEYS); a spec and an endpoint file cannot, since who writes
 * them would choose both the variable and the host.
 */

/** Name of a variable that holds a key, to the hosts (`host` or `host:port`) that the key may be sent to. */
export type KeyHosts = Record<string, string[]>;

const HOST = /^(\[[^\]]+\]|[^:/\s]+)(?::(\d+))?$/;

/** Reads `VARIABLE=host[:port]` entries, separated by commas; a variable may have several. An entry of another form binds nothing. */
export function parseKeyHosts(text: string): KeyHosts {
  const bound: KeyHosts = {};
  for (const entry of text.split(',')) {
    const [, variable = '', host = ''] = /^\s*([A-Z][A-Z0-9_]*)=(\S+)\s*$/.exec(entry) ?? [];
    if (HOST.test(host)) bound[variable] = [...(bound[variable] ?? []), host.toLowerCase()];
  }
  return bound;
}

/** Whether one of `hosts` is the host of `url`; without a port every port of the host is meant. */
export function isHostOf(url: string, hosts: readonly string[]): boolean {
  const { hostname, port, protocol } = new URL(url);
  const actual = port || (protocol === 'https:' ? '443' : '80');
  return hosts.some((entry) => {
    const [, host, wanted] = HOST.exec(entry) ?? [];
    return host === hostname && (wanted === undefined || wanted === actual);
  });
}

/** Why the key in `variable` does not go to `url`, and what to configure if it should. */
export function keyRefusal(variable: string, url: string, hosts: readonly string[]): string {
  const { host } = new URL(url);
  const allowed = hosts.length > 0 ? hosts.join(', ') : 'none';
  return (
    `expected a host that this worker may send ${variable} to (${allowed}); found ${host}. ` +
    `If it may, start the worker with GAVEL_KEYS="${variable}=${host}"`
  );
}
