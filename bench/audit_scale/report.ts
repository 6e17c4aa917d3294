/** Writes the report of the audit in a folder, as `gavel audit` does. */
import { join } from 'node:path';
import { Audit } from '../../src/contracts/audit.ts';
import { writeAuditReport } from '../../src/report/write-report.ts';
import { readContract } from '../../src/run-directory/files.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('Expected the folder of an audit, got none.');
await writeAuditReport(folder, await readContract(join(folder, 'audit.json'), Audit));
