import type { Command } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { createRoot, readRootId } from '../run-directory/root.ts';
import { taskQueue } from '../temporal/task-queues.ts';

export function define(program: Command): void {
  program
    .command('root')
    .description(
      'Prints the folder of GAVEL_ROOT, its UUID and the task queue that runs are started on.\nWorkers refuse a folder that is no root, because a mount may be missing.',
    )
    .option('--new', 'make the folder a root; a folder that is one keeps its UUID')
    .option('--queue', 'print the task queue alone, for scripts')
    .action(async (options: { new?: boolean; queue?: boolean }) => {
      const config = loadConfig();
      const id = options.new ? await createRoot(config.root) : readRootId(config.root);
      const queue = taskQueue(id);
      console.log(options.queue ? queue : `Root        ${config.root}\nUUID        ${id}\nTask queue  ${queue}`);
    });
}

/** As queueOf; null where GAVEL_ROOT is no root. */
export function queueIfAny(config: Config): string | null {
  try {
    return queueOf(config);
  } catch {
    return null;
  }
}

/** The queue that runs are started on: that of GAVEL_TASK_QUEUE, else of GAVEL_ROOT. Throws NotARoot. */
export const queueOf = (config: Config): string => config.task_queue ?? taskQueue(readRootId(config.root));
