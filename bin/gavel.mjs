#!/usr/bin/env node
// The command `gavel`: sets the clone up where something is missing, then runs src/cli.ts under Node 24.
import { fileURLToPath } from 'node:url';
import { handOver } from './node24.mjs';
import { ensureSetup } from './setup.mjs';

await ensureSetup();
handOver(['--no-warnings', fileURLToPath(new URL('../src/cli.ts', import.meta.url)), ...process.argv.slice(2)], {
  lifeline: true,
});
