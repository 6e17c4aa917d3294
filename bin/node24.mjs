#!/usr/bin/env node
// Runs a script with the Node 24 that npm brought, whatever Node the shell has. Node 24 runs TypeScript without a build step.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { whenNpmIsGone } from './npm-gone.mjs';

/** Path of a Node 24: the one in node_modules, else this very one if it is new enough; null if neither. */
export function node24() {
  const platform = `${process.platform}-${process.arch}`;
  const name = platform === 'darwin-arm64' ? `node-bin-${platform}` : `node-${platform}`;
  const path = fileURLToPath(new URL(`../node_modules/${name}/bin/node`, import.meta.url));
  if (existsSync(path)) return path;
  return Number(process.versions.node.split('.')[0]) >= 24 ? process.execPath : null;
}

/**
 * The environment with a folder for Node's compiled modules, inside node_modules so that it goes with them: commands that load the
 * Temporal client start in half the time. Node checks each entry against its source file.
 */
export const withCompileCache = (env) => ({
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../node_modules/.cache/gavel-compiled', import.meta.url)),
  ...env,
});

/**
 * Hands this process over to `args` under Node 24: same terminal, same signals, same exit status. With `lifeline` a channel to it
 * stays open for as long as this process lives, so that it can end with it.
 */
export function handOver(args, { env = process.env, lifeline = false } = {}) {
  const binary = node24();
  if (!binary) {
    console.error(
      `Expected Node 24 for ${process.platform}-${process.arch} in node_modules, found none. Run \`npm run setup\`.`,
    );
    process.exit(1);
  }
  const stdio = ['inherit', 'inherit', 'inherit', ...(lifeline ? ['ipc'] : [])];
  const child = spawn(binary, args, { stdio, env: withCompileCache(env) });
  let told = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // On a terminal Ctrl-C reaches the child by itself, and a second one would mean "now, without tidying up".
    process.on(signal, () => {
      told = true;
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  // Some send SIGTERM to npm and to us: a second one would mean "now" here too.
  whenNpmIsGone(() => told || child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  handOver(process.argv.slice(2));
