/** Does the work and calls `beat` every `interval_ms` until it is done: a quiet activity is not a dead worker. */
export async function whileBeating<T>(interval_ms: number, beat: () => void, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(beat, interval_ms);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
