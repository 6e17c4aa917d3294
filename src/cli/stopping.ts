/** A request to end: Ctrl-C, SIGTERM, a closed terminal, or the end of a parent that holds this process's standard input. */
export interface Stopping {
  asked: boolean;
  /** true once the owner ends its children for another reason. */
  over: boolean;
  /** Resolves when asked. */
  promise: Promise<void>;
}

/** Listens for a request to end. A second Ctrl-C, not the echo of the first, ends this process at once. */
export function stopping(watchStdin = false): Stopping {
  let ask = () => {};
  const state: Stopping = {
    asked: false,
    over: false,
    promise: new Promise<void>((resolve) => {
      ask = resolve;
    }),
  };
  let first = 0;
  const onSignal = () => {
    // npm and the wrapper pass the same Ctrl-C on, so echoes of it arrive within moments.
    if (state.asked && Date.now() - first > 1500) process.exit(130);
    if (!state.asked) first = Date.now();
    state.asked = true;
    ask();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  if (watchStdin) {
    process.stdin.on('end', onSignal).on('error', onSignal).resume();
  }
  return state;
}
