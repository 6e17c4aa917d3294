/**
 * How long files have not changed, as this process has seen it on its own monotonic clock. A file's time is the file server's,
 * and that clock may be an hour off: no time of a file is ever compared with a time of ours.
 */
const seen = new Map<string, { content: string; since: number }>();

/** Milliseconds for which `path` has had this content, counted from the first time that this process looked; 0 then. */
export function stillFor(path: string, content: string): number {
  const now = performance.now();
  const before = seen.get(path);
  if (before?.content === content) return now - before.since;
  seen.set(path, { content, since: now });
  return 0;
}

/** Forgets `path`: its content is not asked about again. */
export function forgetStill(path: string): void {
  seen.delete(path);
}
