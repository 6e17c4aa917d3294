/** At most `limit` holders at once; the rest wait in the order they came. */
export class Limiter {
  #free: number;
  #queue: (() => void)[] = [];
  #head = 0;

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  /** Hands the place over directly. The queue is read by index, since shift() is linear in its length. */
  #next(): void {
    const waiting = this.#queue[this.#head];
    if (!waiting) {
      this.#free++;
      return;
    }
    this.#head++;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    waiting();
  }
}
