import type { RunPaths } from '../run-directory/paths.ts';

/**
 * What the processes of a run are tagged with: `<node>:<run directory>/<stage>/...`. The node is in it because two workers with
 * different node names on one machine are two nodes; the whole path, because two roots may hold runs of one name.
 */
export const nodeTag = (node: string, root: string) => `${node}:${root}/runs/`;
export const stageTag = (node: string, paths: RunPaths, stage: string) => `${node}:${paths.dir}/${stage}`;
