// Runs the tools of the set-up: their output goes to a log file and, line by line, to the code that counts progress, never to the terminal.
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const logPath = join(root, '.gavel/setup.log');

/** A set-up step that failed: what failed, the tool's last words, how to fix it. */
export class SetupError extends Error {
  constructor(message, { lines = [], fix = null } = {}) {
    super(message);
    this.lines = lines;
    this.fix = fix;
  }

  /** The whole message as a person reads it. */
  text() {
    const quoted = this.lines.map((line) => `    ${line}`);
    const hint = this.fix ? [`To fix it: ${this.fix}`] : [];
    return [this.message, ...quoted, ...hint, `Log: ${logPath}`].join('\n');
  }
}

const running = new Set();

/** Ends what the set-up started; the tools have process groups of their own. */
export function killTools() {
  for (const child of running) {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {}
  }
}

/** Runs a command to its end; rejects with a SetupError that quotes its last lines. */
export function runTool(command, args, { what, fix, onLine = () => {}, onStart = () => {}, env = {} }) {
  mkdirSync(dirname(logPath), { recursive: true });
  appendFileSync(logPath, `\n# ${new Date().toISOString()} ${[command, ...args].join(' ')}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: cleanEnv(env),
    });
    running.add(child);
    onStart(child.pid);
    const last = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        appendFileSync(logPath, `${line}\n`);
        if (line.trim() && !noise.test(line)) last.push(line.trimEnd());
        if (last.length > 12) last.shift();
        onLine(line);
      });
    }
    child.on('error', (error) => {
      running.delete(child);
      reject(new SetupError(`${what} failed: cannot start ${command} (${error.code ?? error.message}).`, { fix }));
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code === 0) return resolve(last);
      const how = signal ? `ended by ${signal}` : `exit status ${code}`;
      reject(new SetupError(`${what} failed: ${command} ${args[0]} ${args[1] ?? ''}, ${how}.`, { lines: last, fix }));
    });
  });
}

/** Warnings about the user's own configuration and notices of new versions: true, and no help here. */
const noise = /^npm (warn|notice)|^\[notice\]|^WARNING: /;

/** A virtual environment must not see another Python's packages, nor pip ask questions. */
function cleanEnv(extra) {
  const env = {
    ...process.env,
    PYTHONNOUSERSITE: '1',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    ...extra,
  };
  for (const name of ['PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'PIP_REQUIRE_VIRTUALENV', 'PIP_USER', 'PIP_TARGET']) {
    delete env[name];
  }
  return env;
}
