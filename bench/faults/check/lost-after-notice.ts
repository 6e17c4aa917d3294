import type { Logged } from '../observe/event-log.ts';
import type { Violation } from './assertions.ts';

const NOTICES = ['worker told to end (SIGTERM)', 'preemptionNotice', 'run paused and resumed'];

/** After a notice the next attempt begins where the last finished step was, not where the last checkpoint had been. */
export function notices(events: readonly Logged[]): Violation[] {
  return events.flatMap((fault, at) => {
    if (fault.event !== 'fault' || !NOTICES.includes(fault.kind)) return [];
    const rest = events.slice(at + 1);
    const next = rest.find(
      (event) => event.event === 'epoch' && event.stage === fault.stage && event.epoch > fault.epoch,
    );
    if (next?.event !== 'epoch') return [];
    // Its own: what an attempt before it had finished and not committed was lost to that one's end.
    const own = events
      .slice(0, events.indexOf(next))
      .flatMap((event) =>
        event.event === 'step' && event.stage === fault.stage && event.epoch === fault.epoch ? [event.step] : [],
      );
    const finished = Math.max(0, ...own);
    if (next.resumed_step >= finished) return [];
    const detail = `${fault.kind}: step ${finished} was finished, epoch ${next.epoch} began at ${next.resumed_step}`;
    return [{ assertion: 'no completed step is lost after a notice', detail }];
  });
}
