import type { Logged } from '../observe/event-log.ts';
import type { Assertion, Violation } from './assertions.ts';
import type { RunDirectory } from './read-run-directory.ts';

/** Whatever is given its public name must have been made durable before: a power cut keeps names and loses bytes. */
export function publishedTooSoon(run: RunDirectory, stages: readonly string[], events: readonly Logged[]): Violation[] {
  const assertion: Assertion = 'a commit is durable before it is published';
  const published = stages
    .flatMap((stage) => run.epochs(stage).flatMap((epoch) => run.operations(stage, epoch)))
    .filter((operation) => operation.op === 'publish');
  const commits = new Set(events.flatMap((event) => (event.event === 'commit' ? [`${event.checkpoint}`] : [])));
  const recorded = published.filter(({ path }) => path.endsWith('/HEAD')).length;
  // A recorder that was not there would find nothing wrong.
  if (recorded < commits.size) {
    return [{ assertion, detail: `${commits.size} commits were seen, ${recorded} were recorded` }];
  }
  return published
    .filter(({ unsynced }) => unsynced.length > 0)
    .map(({ path, unsynced }) => ({
      assertion,
      detail: `${path}: not yet on the disk when it got its name: ${unsynced.slice(0, 3).join(', ')}`,
    }));
}
