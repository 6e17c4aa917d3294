import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { program } from '../../src/cli.ts';
import { SEARCH_ATTRIBUTES } from '../../src/temporal/search-attributes.ts';
import { read, root, SHUTDOWN_S } from './files.ts';

interface Service {
  image: string;
  restart?: string;
  environment: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
}

const folder = join(root, 'temporal-config/temporal');
const compose = parse(read('temporal-config/temporal/compose.yaml'), { merge: true }) as {
  services: Record<'postgres' | 'schema' | 'server' | 'namespace' | 'web', Service>;
  volumes: Record<string, unknown>;
};
const { postgres, schema, server, namespace } = compose.services;

describe('temporal-config/temporal/compose.yaml', () => {
  it('keeps the history in PostgreSQL, on a volume', () => {
    expect(server.environment).toMatchObject({ DB: 'postgres12', POSTGRES_SEEDS: 'postgres' });
    expect(server.environment.POSTGRES_USER).toBe(postgres.environment.POSTGRES_USER);
    expect(server.environment.POSTGRES_PWD).toBe(postgres.environment.POSTGRES_PASSWORD);
    expect(postgres.volumes).toContain('postgres:/var/lib/postgresql/data');
    expect(compose.volumes).toHaveProperty('postgres');
  });

  it('makes the tables before the server starts, and the namespace after', () => {
    expect(schema.depends_on?.postgres?.condition).toBe('service_healthy');
    expect(server.depends_on?.schema?.condition).toBe('service_completed_successfully');
    expect(namespace.depends_on?.server?.condition).toBe('service_healthy');
  });

  it('runs a server and tools of one version, and not the image that Temporal gave up', () => {
    const version = (image: string) => image.slice(image.indexOf(':'));
    expect(version(server.image)).toBe(version(schema.image));
    expect(version(namespace.image)).toBe(version(schema.image));
    for (const { image } of Object.values(compose.services)) expect(image).not.toContain('auto-setup');
  });

  it('comes back after a restart of the host', () => {
    for (const service of [postgres, server]) expect(service.restart).toBe('unless-stopped');
  });

  it('holds no password and is open to its own host alone', () => {
    expect(postgres.environment.POSTGRES_PASSWORD).toMatch(/^\$\{POSTGRES_PASSWORD:\?/);
    for (const { ports = [] } of Object.values(compose.services))
      for (const port of ports) expect(port).toMatch(/^(127\.0\.0\.1|\$\{TEMPORAL_BIND:-127\.0\.0\.1\}):/);
  });

  it('mounts files that are there', () => {
    const mounts = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes);
    const files = mounts.filter((mount) => mount.startsWith('.')).map((mount) => mount.split(':')[0] as string);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(existsSync(resolve(folder, file)), file).toBe(true);
  });
});

describe('temporal-config/temporal/*.sh', () => {
  it.each(['schema.sh', 'namespace.sh'])('%s is a script that sh understands', (name) => {
    execFileSync('sh', ['-n', join(folder, name)]);
  });

  it('has as many search attributes of a type as PostgreSQL gives a namespace', () => {
    const counts = Object.groupBy(Object.values(SEARCH_ATTRIBUTES), (type) => type);
    // Columns of Temporal's visibility table: Int01 to Int03, Double01 to Double03, Keyword01 to Keyword10.
    expect(counts.Int?.length).toBeLessThanOrEqual(3);
    expect(counts.Double?.length).toBeLessThanOrEqual(3);
    expect(counts.Keyword?.length).toBeLessThanOrEqual(10);
  });
});

describe('temporal-config/temporal/gavel-workflows.service', () => {
  const unit = read('temporal-config/temporal/gavel-workflows.service');

  it('runs a worker for workflows and waits for it to end', async () => {
    const worker = (await program('worker')).commands.find((command) => command.name() === 'worker');
    expect(/^ExecStart=.* bin\/gavel\.mjs worker (--\S+)$/m.exec(unit)?.[1]).toBe('--workflows');
    expect(worker?.options.map(({ long }) => long)).toContain('--workflows');
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(SHUTDOWN_S);
    expect(unit).toMatch(/^Restart=always$/m);
  });
});
