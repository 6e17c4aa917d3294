#!/usr/bin/env node
// Runs a script with the Node 24 that npm brought, whatever Node the shell has: TypeScript is run as it lies.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of the Node 24 binary in node_modules, or null where the packages are not installed. */
export function node24() {
  const path = fileURLToPath(new URL(`../node_modules/node-${process.platform}-${process.arch}/bin/node`, import.meta.url));
  return existsSync(path) ? path : null;
}

/** Hands this process over to `args` under Node 24: same terminal, same signals, same exit status. */
export function handOver(args, env = process.env) {
  const child = spawn(node24(), args, { stdio: 'inherit', env });
  // The terminal sends Ctrl-C to the whole group; this process only has to outlive the child to report its status.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 128 + (signal === 'SIGINT' ? 2 : 15) : (code ?? 1)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) handOver(process.argv.slice(2));
