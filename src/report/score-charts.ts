import { type Chart, ink } from './chart.ts';
import { count, percent } from './words.ts';

/** Heat map of scores: what the grader gave for each score that the judge gave. The outlined diagonal is agreement. */
export function confusionChart(confusion: number[][]): Chart {
  const total = confusion.flat().reduce((sum, rows) => sum + rows, 0);
  const agree = confusion.reduce((sum, row, score) => sum + (row[score] ?? 0), 0);
  const values = confusion.flatMap((row, judge) => {
    const all = row.reduce((sum, rows) => sum + rows, 0);
    return row.map((rows, grader) => ({
      judge,
      grader,
      rows,
      share: all === 0 ? 0 : rows / all,
      same: judge === grader,
    }));
  });
  const axis = { labelAngle: 0, domain: false, ticks: false, grid: false };
  const x = { field: 'grader', type: 'ordinal', title: 'grader’s score', axis: { ...axis, orient: 'top' } };
  const y = { field: 'judge', type: 'ordinal', title: 'judge’s score', axis, sort: 'descending' };
  return {
    title: 'Confusion matrix of scores',
    description: `Of ${count(total)} answers that both scored, grader and judge gave the same score to ${count(agree)}. Rows are the judge's score, columns the grader's.`,
    spec: {
      ...{ width: 380, height: 340, data: { values } },
      layer: [
        {
          mark: { type: 'rect', color: ink.grader },
          encoding: {
            x,
            y,
            opacity: {
              field: 'share',
              type: 'quantitative',
              scale: { domain: [0, 1], range: [0.05, 1] },
              legend: null,
            },
          },
        },
        {
          transform: [{ filter: 'datum.same' }],
          mark: { type: 'rect', filled: false, stroke: ink.soft, strokeWidth: 1.5 },
          encoding: { x, y },
        },
        {
          transform: [{ filter: 'datum.rows > 0' }],
          mark: { type: 'text', fontSize: 12 },
          encoding: {
            ...{ x, y, text: { field: 'rows', type: 'quantitative' } },
            color: { condition: { test: 'datum.share > 0.55', value: ink.paper }, value: ink.text },
          },
        },
      ],
    },
  };
}

/** How often the judge gave each score: with few scores in use, agreement is cheap. */
export function judgeScoresChart(judgeScores: number[]): Chart {
  const total = judgeScores.reduce((sum, rows) => sum + rows, 0) || 1;
  const values = judgeScores.map((rows, score) => ({ score, rows, share: percent(rows / total) }));
  const x = { field: 'score', type: 'ordinal', title: 'score', axis: { labelAngle: 0, ticks: false } };
  const y = { field: 'rows', type: 'quantitative', title: null, axis: null };
  return {
    title: 'How often the judge gave each score',
    description: `${values.map(({ score, rows }) => `${score}: ${rows}`).join(', ')} answers.`,
    spec: {
      ...{ width: 330, height: 170, data: { values } },
      layer: [
        { mark: { type: 'bar', color: ink.judge }, encoding: { x, y } },
        { mark: { type: 'text', dy: -7, color: ink.soft, fontSize: 11 }, encoding: { x, y, text: { field: 'share' } } },
      ],
    },
  };
}
