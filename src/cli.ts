import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { EXIT, exitHelp } from './cli/exit.ts';
import { endWithWrapper } from './cli/lifeline.ts';
import { printError } from './cli/print-error.ts';
import { keepFilesPrivate } from './process/private-files.ts';

interface CommandEntry {
  name: string;
  args: string;
  summary: string;
  load: () => Promise<{ define: (program: Command) => void }>;
}

/** All commands. Only the one that is called is loaded: the Temporal client and the gateway take a second each. */
const COMMANDS: CommandEntry[] = [
  {
    name: 'demo',
    args: '',
    summary: 'run all stages on tiny models, on this machine, in minutes',
    load: () => import('./cli/demo.ts'),
  },
  {
    name: 'up',
    args: '',
    summary: 'run a Temporal server (SQLite, Web UI) and a worker in the foreground',
    load: () => import('./cli/up/up.ts'),
  },
  {
    name: 'down',
    args: '',
    summary: 'end what `gavel up` or `gavel demo --stay` runs',
    load: () => import('./cli/up/down.ts'),
  },
  {
    name: 'root',
    args: '',
    summary: 'print the folder that holds the runs, its UUID and its task queue',
    load: () => import('./cli/root.ts'),
  },
  {
    name: 'worker',
    args: '',
    summary: 'run a worker that polls a Temporal server',
    load: () => import('./cli/worker.ts'),
  },
  {
    name: 'rubric',
    args: '',
    summary: 'check a rubric: what a judge reads, which answers count, what verdict a reply gives',
    load: () => import('./cli/rubric/rubric.ts'),
  },
  {
    name: 'fit',
    args: '<spec>',
    summary: 'estimate the memory of a run, and what would make it fit',
    load: () => import('./cli/fit.ts'),
  },
  {
    name: 'verify',
    args: '<spec>',
    summary: "show what a task's verifier makes of sample answers, before anything is trained",
    load: () => import('./cli/verify.ts'),
  },
  { name: 'run', args: '<spec>', summary: 'start a run', load: () => import('./cli/run.ts') },
  {
    name: 'watch',
    args: '<run>',
    summary: 'follow a run until it is over',
    load: () => import('./cli/watch/watch.ts'),
  },
  {
    name: 'pause',
    args: '<run>',
    summary: 'commit, end the stage and release its GPUs until `resume`',
    load: () => import('./cli/pause.ts'),
  },
  { name: 'resume', args: '<run>', summary: 'continue a paused run', load: () => import('./cli/resume.ts') },
  {
    name: 'cancel',
    args: '<run>',
    summary: 'end a run; `gavel run SPEC --resume` continues it',
    load: () => import('./cli/cancel.ts'),
  },
  {
    name: 'judge',
    args: '<run>',
    summary: 'print or change the URL of the judge',
    load: () => import('./cli/judge.ts'),
  },
  {
    name: 'status',
    args: '[run]',
    summary: 'print stage, step, figures and live processes of a run',
    load: () => import('./cli/status.ts'),
  },
  { name: 'report', args: '<run>', summary: "print the path of a run's report", load: () => import('./cli/report.ts') },
  {
    name: 'traces',
    args: '<run>',
    summary: 'read the ledger: every grading call of a run',
    load: () => import('./cli/traces.ts'),
  },
  {
    name: 'export',
    args: '<run>',
    summary: 'write traces and prompts for other trainers',
    load: () => import('./cli/export.ts'),
  },
  {
    name: 'audit',
    args: '',
    summary: 'audit any grader on your own rows: an endpoint, or verdicts in a file',
    load: () => import('./cli/audit/audit.ts'),
  },
  {
    name: 'serve',
    args: '<run>',
    summary: 'serve the grader behind the gateway, OpenAI-compatible',
    load: () => import('./cli/serve.ts'),
  },
  {
    name: 'doctor',
    args: '',
    summary: 'list what is installed, and print the command that installs what is missing',
    load: () => import('./cli/doctor/doctor.ts'),
  },
];

const HINT = `
Start with \`gavel demo\`, or \`gavel up\` in one terminal and \`gavel run examples/poly-easy.yaml --watch\` in another.`;

/** The command `gavel`; what `called` names is complete, the others are there to be listed and suggested. */
export async function program(called: string | undefined): Promise<Command> {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const gavel = new Command('gavel')
    .description(
      'Reinforcement learning graded by an LLM judge, distilled into a small, audited grader. Durable on Temporal.',
    )
    .version(version)
    .addHelpText('after', exitHelp)
    .addHelpText('after', HINT)
    .showHelpAfterError('Run `gavel --help` for the commands, `gavel COMMAND --help` for one.')
    // What stands behind a command is that command's, and of `gavel audit plan` the last one's.
    .enablePositionalOptions()
    .exitOverride();
  for (const { name, args, summary, load } of COMMANDS) {
    if (name === called) (await load()).define(gavel);
    else gavel.command(`${name} ${args}`).summary(summary);
  }
  return gavel;
}

async function main(): Promise<void> {
  // A reader that has seen enough (`gavel traces RUN | head`) closes the pipe; that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  keepFilesPrivate();
  endWithWrapper();
  const [first, second] = process.argv.slice(2);
  try {
    await (await program(first === 'help' ? second : first)).parseAsync();
  } catch (error) {
    // commander has printed its own message.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    else process.exitCode = printError(error);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main();
  // Handles of the gRPC client would keep a finished command alive.
  process.exit();
}
