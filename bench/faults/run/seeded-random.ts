/** A seeded generator (mulberry32): the same seed makes the same plan. Math.random cannot be seeded. */
export function randomOf(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (low: number, high: number): number => low + next() * (high - low),
    pick: <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T,
    shuffled: <T>(items: readonly T[]): T[] => {
      const left = [...items];
      return items.map(() => left.splice(Math.floor(next() * left.length), 1)[0] as T);
    },
  };
}
export type Random = ReturnType<typeof randomOf>;
