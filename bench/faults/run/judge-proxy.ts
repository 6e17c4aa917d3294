import { createHash } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

interface Poison {
  reply: Reply;
  asked: number;
}

/**
 * A proxy before a judge: it lets calls through, counts those that were asked before, can be shut (refused connections) and
 * can move to another port. One judge serves many seeds, each behind a proxy of its own.
 */
export class JudgeProxy {
  private readonly upstream: URL;
  private readonly onCall: (body: string, again: boolean) => void;
  private readonly seen = new Set<string>();
  private server: Server | null = null;
  private instead: (() => Reply) | null = null;
  private next: Poison | null = null;
  private readonly poisoned = new Map<string, Poison>();
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
        const instead = incoming.method === 'POST' ? this.count(body, incoming.url ?? '') : null;
        if (instead) {
          outgoing.writeHead(instead.status, instead.headers).end(instead.body);
          return;
        }
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

  /** Every call gets what `reply` says until it is called with null. */
  replyInstead(reply: (() => Reply) | null): void {
    this.instead = reply;
  }

  /** The next question that was not asked before gets this reply, now and whenever it is asked again. */
  poisonNext(reply: Reply): { readonly asked: number } {
    this.next = { reply, asked: 0 };
    return this.next;
  }

  poisonNone(): void {
    this.next = null;
  }

  /** Counts a call; returns what it is to be answered with in place of the judge's reply. */
  private count(body: Buffer, path: string): Reply | null {
    const digest = createHash('sha256').update(body).digest('hex');
    const again = this.seen.has(digest);
    this.seen.add(digest);
    this.calls += 1;
    if (again) this.asked_again += 1;
    this.onCall(digest.slice(0, 16), again);
    if (this.next && !again && path.endsWith('/completions')) {
      this.poisoned.set(digest, this.next);
      this.next = null;
    }
    const poison = this.poisoned.get(digest);
    if (poison) poison.asked += 1;
    return this.instead?.() ?? poison?.reply ?? null;
  }
}
