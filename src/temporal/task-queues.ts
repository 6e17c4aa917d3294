/**
 * Names of the task queues of a root. They carry its identity, so that the workers of two roots in one namespace never take
 * each other's work. Eight hexadecimal digits tell roots apart, and are short enough for people.
 */

/** The queue that every worker of the root polls; runs are started on it. */
export const taskQueue = (rootId: string): string => `gavel-${rootId.slice(0, 8)}`;

/** The queue of one node: work that must run where a lease or a child process is. */
export const nodeQueue = (rootId: string, node: string): string => `${taskQueue(rootId)}-node-${node}`;
