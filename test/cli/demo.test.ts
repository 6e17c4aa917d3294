import { expect, it } from 'vitest';
import { whereUiIs } from '../../src/cli/demo.ts';

const page = '/namespaces/default/workflows/gavel%2Fdemo-1';

it('says how to see the run again, and no address of a server that it takes with it', () => {
  const said = whereUiIs(page, null);
  expect(said).toContain('ended with the demo');
  expect(said).toMatch(/`npx gavel up`, then http:\/\/127\.0\.0\.1:8233\/namespaces/);
});

it('gives the address of a server that goes on', () => {
  expect(whereUiIs(page, 'http://127.0.0.1:8240')).toBe(`http://127.0.0.1:8240${page}`);
});
