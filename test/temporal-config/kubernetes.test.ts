import { loadClientConfigProfile } from '@temporalio/envconfig';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { program } from '../../src/cli.ts';
import { loadConfig } from '../../src/config.ts';
import { manifests, read, SHUTDOWN_S } from './files.ts';

interface Env {
  name: string;
  value?: string;
  valueFrom?: { fieldRef?: { fieldPath: string }; secretKeyRef?: { name: string; key: string; optional?: boolean } };
}
interface Container {
  image: string;
  args?: string[];
  command?: string[];
  env?: Env[];
  envFrom?: { configMapRef: { name: string } }[];
  lifecycle?: unknown;
  resources: { limits: Record<string, string> };
  volumeMounts: { name: string; mountPath: string }[];
}
interface Pod {
  terminationGracePeriodSeconds: number;
  securityContext: { runAsNonRoot: boolean; runAsUser: number };
  containers: [Container];
  volumes: {
    name: string;
    emptyDir?: { medium: string; sizeLimit: string };
    persistentVolumeClaim?: { claimName: string };
  }[];
}

const all = manifests();
const podOf = (name: string) => (all.get(name) as { spec: { template: { spec: Pod } } }).spec.template.spec;
const gpu = podOf('Deployment/gavel-gpu');
const workflows = podOf('Deployment/gavel-workflows');
const newRoot = podOf('Job/gavel-new-root');
const settings = (all.get('ConfigMap/gavel-settings') as { data: Record<string, string> }).data;
const gibibytes = (size = '') => Number(/^(\d+)Gi$/.exec(size)?.[1]);

describe('temporal-config/kubernetes', () => {
  it('names in its kustomization every manifest but the one for an empty volume', () => {
    const { resources } = parse(read('temporal-config/kubernetes/kustomization.yaml')) as { resources: string[] };
    const listed = resources.flatMap((name) => {
      const manifest = parse(read(`temporal-config/kubernetes/${name}`));
      return `${manifest.kind}/${manifest.metadata.name}`;
    });
    expect([...listed, 'Job/gavel-new-root'].sort()).toEqual([...all.keys()].sort());
  });

  it.each([
    ['gpu', gpu],
    ['workflows', workflows],
  ])('gives the %s worker longer than it takes to end, and nothing that uses the time up', (_, pod) => {
    expect(SHUTDOWN_S).toBeGreaterThan(0);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(SHUTDOWN_S);
    expect(pod.containers[0].lifecycle).toBeUndefined();
    // A command of its own would stand in for the image's entry point, and with it for tini.
    expect(pod.containers[0].command).toBeUndefined();
  });

  it('gives the GPU worker GPUs, and shared memory within its memory limit', () => {
    const { resources, volumeMounts } = gpu.containers[0];
    expect(Number(resources.limits['nvidia.com/gpu'])).toBeGreaterThan(0);
    const mount = volumeMounts.find(({ mountPath }) => mountPath === '/dev/shm');
    const volume = gpu.volumes.find(({ name }) => name === mount?.name);
    expect(volume?.emptyDir?.medium).toBe('Memory');
    expect(gibibytes(volume?.emptyDir?.sizeLimit)).toBeGreaterThan(0);
    expect(gibibytes(volume?.emptyDir?.sizeLimit)).toBeLessThan(gibibytes(resources.limits.memory));
  });

  it('gives the workflows worker no GPU and no key of a judge', () => {
    expect(workflows.containers[0].resources.limits).not.toHaveProperty(['nvidia.com/gpu']);
    expect(workflows.containers[0].env?.map(({ name }) => name)).not.toContain('JUDGE_API_KEY');
  });

  it('mounts the shared volume at GAVEL_ROOT in every pod', () => {
    for (const pod of [gpu, workflows, newRoot]) {
      const mount = pod.containers[0].volumeMounts.find(({ mountPath }) => mountPath === settings.GAVEL_ROOT);
      const volume = pod.volumes.find(({ name }) => name === mount?.name);
      expect(volume?.persistentVolumeClaim?.claimName).toBe('gavel-root');
    }
    expect(all.get('PersistentVolumeClaim/gavel-root')).toMatchObject({ spec: { accessModes: ['ReadWriteMany'] } });
  });

  it('calls gavel with options that it has', async () => {
    const optionsOf = async (name: string) =>
      (await program(name)).commands.find((command) => command.name() === name)?.options.map(({ long }) => long);
    const options = await optionsOf('worker');
    expect(newRoot.containers[0].args).toEqual(['root', '--new']);
    expect(newRoot.containers[0].env).toEqual([{ name: 'GAVEL_ROOT', value: settings.GAVEL_ROOT }]);
    expect(await optionsOf('root')).toContain('--new');
    expect(gpu.containers[0].args).toEqual(['worker', '--activities']);
    expect(workflows.containers[0].args).toEqual(['worker', '--workflows']);
    expect(options).toEqual(expect.arrayContaining(['--activities', '--workflows', '--node']));
  });

  it('sets variables that are read, and a name of its own for each pod', () => {
    const config = loadConfig({ GAVEL_ROOT: settings.GAVEL_ROOT, GAVEL_NODE: 'pod-1' });
    expect(config).toMatchObject({ root: settings.GAVEL_ROOT, node: 'pod-1' });
    for (const pod of [gpu, workflows]) {
      const { env = [], envFrom } = pod.containers[0];
      expect(envFrom).toEqual([{ configMapRef: { name: 'gavel-settings' } }]);
      expect(env.find(({ name }) => name === 'GAVEL_NODE')?.valueFrom?.fieldRef?.fieldPath).toBe('metadata.name');
      const ours = [...env.map(({ name }) => name), ...Object.keys(settings)].filter((name) =>
        name.startsWith('GAVEL_'),
      );
      for (const name of ours) expect(read('src/config.ts')).toContain(`env.${name}`);
    }
    const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = settings as Record<string, string>;
    const overrideEnvVars = { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY: 'key' } as Record<string, string>;
    const profile = loadClientConfigProfile({ disableFile: true, overrideEnvVars });
    expect(profile).toMatchObject({ address: TEMPORAL_ADDRESS, namespace: TEMPORAL_NAMESPACE, apiKey: 'key' });
  });

  it('takes every key from the one Secret, and holds none', () => {
    const keys = [gpu, workflows]
      .flatMap((pod) => pod.containers[0].env ?? [])
      .filter(({ name }) => /KEY|TOKEN/.test(name));
    expect(keys.length).toBeGreaterThan(0);
    for (const { name, value, valueFrom } of keys) {
      expect(value).toBeUndefined();
      expect(valueFrom?.secretKeyRef).toEqual({ name: 'gavel-keys', key: name, optional: true });
    }
    expect([...all.keys()].filter((name) => name.startsWith('Secret/'))).toEqual([]);
    // GAVEL_KEYS holds names of variables and hosts.
    const secret = Object.keys(settings).filter((name) => /KEY|TOKEN|SECRET|PASSWORD/.test(name));
    expect(secret).toEqual(['GAVEL_KEYS']);
    expect(settings.GAVEL_KEYS).toBe('JUDGE_API_KEY=judge.example.com');
  });

  it('runs as the user of the image', () => {
    const user = Number(/^USER (\d+):\d+$/m.exec(read('temporal-config/container/Containerfile'))?.[1]);
    expect(user).toBeGreaterThan(0);
    for (const pod of [gpu, workflows, newRoot])
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: user });
  });
});
