/**
 * Which key may go where. The worker's own configuration says it (GAVEL_KEYS); a spec and an endpoint file cannot, because their author
 * would choose both the variable and the host.
 */

/** Name of a variable that holds a key, to the hosts (`[http://|https://]host[:port]`) that the key may be sent to. */
export type KeyHosts = Record<string, string[]>;

const HOST = /^(?:(https?:)\/\/)?(\[[^\]]+\]|[^:/\s]+)(?::(\d+))?$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/** Whether a URL names this machine. */
export const isLoopback = (url: string): boolean => LOOPBACK.test(new URL(url).hostname);

const defaultPort = (protocol: string) => (protocol === 'https:' ? '443' : '80');

/** Reads `VARIABLE=[http://|https://]host[:port]` entries, separated by commas; a variable may have several. An entry of another form binds nothing. */
export function parseKeyHosts(text: string): KeyHosts {
  const bound: KeyHosts = {};
  for (const entry of text.split(',')) {
    const [, variable = '', host = ''] = /^\s*([A-Z][A-Z0-9_]*)=(\S+)\s*$/.exec(entry) ?? [];
    const bare = host.toLowerCase();
    if (HOST.test(bare)) bound[variable] = [...(bound[variable] ?? []), bare];
  }
  return bound;
}

/**
 * Whether one of `hosts` is the host of `url`. An entry without a port means the default port of its scheme. One without a scheme means
 * https, because anybody on the network can read a key that is sent over plain http. On loopback it means either.
 */
export function isHostOf(url: string, hosts: readonly string[]): boolean {
  const { hostname, port, protocol } = new URL(url);
  return hosts.some((entry) => {
    const [, scheme = LOOPBACK.test(hostname) ? protocol : 'https:', host, wanted = defaultPort(scheme)] =
      HOST.exec(entry) ?? [];
    return host === hostname && scheme === protocol && wanted === (port || defaultPort(protocol));
  });
}

/** The entry that binds a key to the host of `url`, and to no other. */
export function bindingOf(url: string): string {
  const { host, hostname, protocol, origin } = new URL(url);
  return protocol === 'http:' && !LOOPBACK.test(hostname) ? origin : host;
}

/** Why the key in `variable` does not go to `url`, and what to configure if it should. */
export function keyRefusal(variable: string, url: string, hosts: readonly string[]): string {
  const found = bindingOf(url);
  const clear = found.startsWith('http:');
  const allowed = hosts.length > 0 ? hosts.join(', ') : 'none';
  return (
    `expected a host that this worker may send ${variable} to (${allowed}); found ${found}. ` +
    `If it may, start the worker with GAVEL_KEYS="${variable}=${found}"${clear ? ', which sends the key unencrypted' : ''}`
  );
}
