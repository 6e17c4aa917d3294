import { MultiBar, type SingleBar } from 'cli-progress';
import type { Config } from '../../config.ts';
import { plainLine, stageLine } from './draw-run.ts';
import { followRun } from './follow-run.ts';
import { type RunView, STAGES, type Stage } from './run-view.ts';

/** Draws a run until it is over: bars on a terminal, a line every few seconds elsewhere. Returns the last view. */
export async function watchRun(
  config: Config,
  run: string,
  stopped: () => boolean = () => false,
): Promise<RunView | null> {
  const screen = process.stdout.isTTY ? new BarScreen() : new LineScreen();
  let last: RunView | null = null;
  try {
    for await (const view of followRun(config, run, { stopped })) {
      screen.show(view, last);
      last = view;
    }
  } finally {
    screen.end();
  }
  return last;
}

interface Screen {
  show(view: RunView, before: RunView | null): void;
  end(): void;
}

/** What happened between two looks and deserves a line of its own. */
export function eventsBetween(before: RunView | null, now: RunView): string[] {
  const known = new Set(before?.interruptions.latest.map(({ at, what }) => `${at} ${what}`));
  const lost = now.interruptions.latest.filter(({ at, what }) => !known.has(`${at} ${what}`));
  const notes = now.notes.filter((note) => !before?.notes.includes(note));
  return [
    ...lost.map(
      ({ stage, what, message }) =>
        `${stage}: ${what} was lost (${message}); the stage resumes from its last checkpoint`,
    ),
    ...notes,
  ];
}

class BarScreen implements Screen {
  private readonly bars = new MultiBar({
    format: (_options, _params, payload: { line: string }) => payload.line,
    stream: process.stdout,
    hideCursor: true,
    fps: 5,
    // The commands that use this end by their own handlers.
    gracefulExit: false,
    // A line that wraps would break the redraw; stageLine cuts it first, colours not counted.
    linewrap: null as unknown as boolean,
  });
  private readonly lines = new Map<Stage, SingleBar>();

  show(view: RunView, before: RunView | null): void {
    for (const event of eventsBetween(before, view)) this.bars.log(`  ${event}\n`);
    const width = process.stdout.columns ?? 100;
    for (const name of STAGES) {
      const line = `  ${stageLine(name, view.stages[name], { width: width - 2 })}`;
      const bar = this.lines.get(name);
      if (bar) bar.update(0, { line });
      else this.lines.set(name, this.bars.create(1, 0, { line }));
    }
  }

  end(): void {
    this.bars.update();
    this.bars.stop();
  }
}

class LineScreen implements Screen {
  private printed = '';
  private at = 0;

  show(view: RunView, before: RunView | null): void {
    for (const event of eventsBetween(before, view)) console.log(event);
    const line = plainLine(view);
    const moved = view.stage !== before?.stage;
    const idle = view.stage in view.stages && view.stages[view.stage as Stage].state === 'waiting';
    // At once where the stage changes; else every few seconds, and seldom while there is nothing but waiting.
    if (line === this.printed || (!moved && Date.now() - this.at < (idle ? 20_000 : 5000))) return;
    this.printed = line;
    this.at = Date.now();
    console.log(line);
  }

  end(): void {}
}
