import { tmpdir } from 'node:os';
import { FOLDER_NAME_BYTES, makeProcessFolder } from './process-folder.ts';

/**
 * A folder for the Unix sockets of one served model, which goes with it: vLLM puts them into the folder for temporary files, and
 * leaves them there when it is killed. It is not in the run's folder, since the path of a socket has at most 107 bytes and a run
 * may be on a network filesystem.
 */

const SOCKET_PATH_BYTES = 107;
// A slash and the UUID by which vLLM names a socket.
const SOCKET_NAME_BYTES = 37;

/** Makes the folder, and removes those of processes of this machine that have died. The caller removes it. */
export async function makeSocketFolder(temporary = tmpdir()): Promise<string> {
  const longest = SOCKET_PATH_BYTES - SOCKET_NAME_BYTES - FOLDER_NAME_BYTES;
  const base = Buffer.byteLength(temporary) <= longest ? temporary : '/tmp';
  return makeProcessFolder('socket', base);
}
