#!/usr/bin/env node
// Installs what is missing into the clone: npm packages (Node 24 among them), a Python environment, torch, the Temporal server.
// Only Node's own modules are imported, since nothing else is there yet. A second call takes milliseconds.
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasPackages, installPackages } from './setup/javascript.mjs';
import { takeLock } from './setup/lock.mjs';
import { hasPython, installPython } from './setup/python.mjs';
import { say } from './setup/screen.mjs';
import { killTools, logPath, root, SetupError } from './setup/tool.mjs';

/** Whether the clone has all it needs. */
export const isSetUp = () => hasPackages() && hasPython();

/** Sets the clone up; says nothing where there is nothing to do. Ends the process with a message where it cannot. */
export async function ensureSetup() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) fail(`Expected Node 20 or later, got ${process.version}. Install a newer Node, then run this again.`);
  if (isSetUp()) return false;
  try {
    await setUp();
  } catch (error) {
    fail(error instanceof SetupError ? `\n${error.text()}` : `\nSet-up failed: ${error.message}\nLog: ${logPath}`);
  }
  return true;
}

async function setUp() {
  say(`Setting up gavel in ${root} (once; log: .gavel/setup.log)`);
  const lock = await takeLock(join(root, '.gavel/setup.lock'), {
    onWait: (pid) => say(`  Another set-up is running (pid ${pid}); waiting for it.`),
  });
  const stop = () => {
    killTools();
    lock.release();
    say('\nSet-up interrupted. Run the same command again; it continues where it stopped.');
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  try {
    if (!hasPackages()) await installPackages(lock);
    if (!hasPython()) await installPython(lock);
  } finally {
    lock.release();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, stop);
  }
}

function fail(text) {
  say(text);
  process.exit(1);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const did = await ensureSetup();
  say(did ? 'Set-up done. Next: `npm run demo`, or `npx gavel --help`.' : 'Everything is set up.');
}
