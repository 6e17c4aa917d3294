import { askToStop } from './ask-to-stop.ts';
import { auditGrader } from './audit-grader.ts';
import type { Dependencies } from './dependencies.ts';
import { prepareRun, readRun } from './prepare-run.ts';
import { releaseNode, reserveNode } from './reserve-node.ts';
import { serveModel } from './serve-model.ts';
import { trainGrpo } from './train-grpo.ts';
import { trainSft } from './train-sft.ts';
import { verifyResults } from './verify-results.ts';
import { writeReport } from './write-report.ts';

/** All activities, bound to what the worker gives them; their names are those that workflows call. */
export function createActivities(dependencies: Dependencies) {
  return {
    prepareRun: prepareRun(dependencies),
    readRun: readRun(dependencies),
    reserveNode: reserveNode(dependencies),
    releaseNode: releaseNode(dependencies),
    askToStop: askToStop(dependencies),
    serveModel: serveModel(dependencies),
    trainGrpo: trainGrpo(dependencies),
    trainSft: trainSft(dependencies),
    auditGrader: auditGrader(dependencies),
    verifyResults: verifyResults(dependencies),
    writeReport: writeReport(dependencies),
  };
}

export type Activities = ReturnType<typeof createActivities>;
