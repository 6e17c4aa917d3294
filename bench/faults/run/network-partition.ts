import type { AddressInfo } from 'node:net';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/**
 * How a partition looks from either side: `broken` resets connections and refuses new ones, `silent` loses every packet, and what
 * was sent meanwhile arrives once it heals, as TCP sends it again.
 */
export type Cut = 'broken' | 'silent';

/** The one way from a node to the Temporal server: a TCP forwarder that can be cut and healed. */
export class Forwarder {
  private readonly to: number;
  private readonly server: Server;
  private readonly links = new Set<Socket>();
  /** Connections that were opened into the silence. */
  private readonly waiting = new Set<Socket>();
  private now: Cut | null = null;

  /** Forwards to port `to` of this machine, whether or not a process listens there yet. */
  constructor(to: number) {
    this.to = to;
    this.server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (near) =>
      this.accept(near),
    );
  }

  /** Opens on a free port; returns the address for clients. */
  async open(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(0, '127.0.0.1', resolve);
    });
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  cut(how: Cut): void {
    this.now = how;
    for (const link of this.links) how === 'broken' ? link.resetAndDestroy() : link.pause();
  }

  heal(): void {
    this.now = null;
    for (const link of this.links) link.destroyed ? link.emit('healed') : link.resume();
    for (const near of this.waiting) this.join(near);
    this.waiting.clear();
  }

  async close(): Promise<void> {
    for (const link of [...this.links, ...this.waiting]) link.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(near: Socket): void {
    near.on('error', () => undefined);
    if (this.now === 'broken') near.resetAndDestroy();
    else if (this.now === 'silent') this.waiting.add(near);
    else this.join(near);
  }

  private join(near: Socket): void {
    if (near.destroyed) return;
    const far = createConnection({ host: '127.0.0.1', port: this.to, noDelay: true, allowHalfOpen: true });
    far.on('error', () => undefined);
    this.forward(near, far);
    this.forward(far, near);
    near.resume();
  }

  private forward(from: Socket, to: Socket): void {
    this.links.add(from);
    from.on('data', (part) => {
      if (to.write(part)) return;
      from.pause();
      to.once('drain', () => this.now === null && from.resume());
    });
    from.on('end', () => to.end());
    const over = () => {
      this.links.delete(from);
      to.destroySoon();
    };
    // Across a partition neither side notices that the other has closed.
    from.once('close', () => (this.now === 'silent' ? from.once('healed', over) : over()));
  }
}
