import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import { describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../src/temporal/search-attributes.ts';

const file = (name: string) => fileURLToPath(new URL(`../../temporal-config/${name}`, import.meta.url));

describe('temporal-config/gavel.toml', () => {
  const profile = (name: string) =>
    loadClientConfigProfile({
      profile: name,
      configSource: { path: file('gavel.toml') },
      configFileStrict: true,
      overrideEnvVars: {},
    });

  it('has a profile for the dev server', () => {
    expect(profile('local')).toMatchObject({ address: '127.0.0.1:7233', namespace: 'default' });
  });

  it('has a profile with client certificates', () => {
    expect(profile('cluster').tls).toMatchObject({
      serverName: 'temporal.example.com',
      clientCert: { path: expect.any(String) },
    });
  });

  it('has a profile for an API key and holds none', () => {
    expect(profile('cloud').tls?.disabled).toBe(false);
    expect(readFileSync(file('gavel.toml'), 'utf8')).not.toMatch(/^\s*api_key/m);
  });
});

it('search-attributes.sh creates what the dev server is started with', () => {
  const pairs = [...readFileSync(file('search-attributes.sh'), 'utf8').matchAll(/--name (\w+) --type (\w+)/g)];
  expect(Object.fromEntries(pairs.map(([, name, type]) => [name, type]))).toEqual(SEARCH_ATTRIBUTES);
});
