import { createHash } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A proxy before a judge: it lets calls through, counts those that were asked before, can be shut (refused connections) and
 * can move to another port. One judge serves many seeds, each behind a proxy of its own.
 */
export class JudgeProxy {
  private readonly upstream: URL;
  private readonly onCall: (body: string, again: boolean) => void;
  private readonly seen = new Set<string>();
  private server: Server | null = null;
  in_flight = 0;
  calls = 0;
  asked_again = 0;

  constructor(upstream: string, onCall: (body: string, again: boolean) => void = () => undefined) {
    this.upstream = new URL(upstream);
    this.onCall = onCall;
  }

  /** Opens on `port`, or a free one; returns the base URL. */
  async open(port = 0): Promise<string> {
    const server = createServer((incoming, outgoing) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part) => parts.push(part));
      incoming.on('end', () => {
        const body = Buffer.concat(parts);
        if (incoming.method === 'POST') this.count(body);
        const { hostname, port: to } = this.upstream;
        const headers = { ...incoming.headers, host: `${hostname}:${to}` };
        this.in_flight += 1;
        const forward = request(
          { host: hostname, port: to, path: incoming.url, method: incoming.method, headers, agent: false },
          (answer) => {
            outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(outgoing);
          },
        );
        forward.on('error', () => outgoing.destroy());
        outgoing.on('close', () => {
          this.in_flight -= 1;
          forward.destroy();
        });
        forward.end(body);
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    this.server = server;
    return this.url;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  get port(): number {
    if (!this.server) throw new Error('The judge_proxy is shut.');
    return (this.server.address() as AddressInfo).port;
  }

  /** Shuts it: open connections break, new ones are refused. */
  async shut(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  private count(body: Buffer): void {
    const digest = createHash('sha256').update(body).digest('hex');
    const again = this.seen.has(digest);
    this.seen.add(digest);
    this.calls += 1;
    if (again) this.asked_again += 1;
    this.onCall(digest.slice(0, 16), again);
  }
}
