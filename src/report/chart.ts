import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { escapeHtml, Html, html } from './html.ts';

/** Colours are CSS variables, so that one drawing serves light, dark and print. A role has one colour all through. */
export const ink = {
  text: 'var(--ink)',
  soft: 'var(--soft)',
  line: 'var(--line)',
  paper: 'var(--paper)',
  judge: 'var(--judge)',
  grader: 'var(--grader)',
  base: 'var(--base)',
  truth: 'var(--truth)',
  reward: 'var(--reward)',
  bad: 'var(--bad)',
};

const others = ['var(--other-1)', 'var(--other-2)', 'var(--other-3)', 'var(--other-4)'];

/** The colour of a role; roles without one of their own share four, in the order of their names. */
export function roleColor(role: string, all: readonly string[]): string {
  if (role === 'policy') return ink.truth;
  if (role === 'judge' || role === 'grader' || role === 'base') return ink[role];
  const named = [...new Set(all)].filter((one) => !(one in ink)).sort();
  return others[Math.max(0, named.indexOf(role)) % others.length] as string;
}

const config: NonNullable<TopLevelSpec['config']> = {
  aria: false,
  background: 'transparent',
  font: 'system-ui, sans-serif',
  padding: 4,
  view: { stroke: null },
  axis: {
    ...{ labelColor: ink.soft, titleColor: ink.text, gridColor: ink.line, domainColor: ink.line, tickColor: ink.line },
    ...{ labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', titlePadding: 8, labelPadding: 5 },
  },
  text: { color: ink.text, fontSize: 12 },
};

export interface Chart {
  /** What is shown; heads the figure. */
  title: string;
  /** What is seen in it, for a reader who cannot see it. */
  description: string;
  spec: object;
  /** Drawn a second time this wide for narrow screens; without it the one drawing shrinks. */
  narrow?: object;
}

let drawn = 0;

async function svg(spec: object, chart: Chart): Promise<Html> {
  const vega = compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    config,
    ...spec,
  } as TopLevelSpec).spec;
  const view = new View(parse(vega), { renderer: 'none' });
  const drawing = await view.toSVG();
  view.finalize();
  drawn += 1;
  const id = `chart-${drawn}`;
  const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(drawing) ?? [];
  const head = `<svg viewBox="0 0 ${width} ${height}" style="max-width:${width}px" role="img" aria-labelledby="${id}-t ${id}-d"><title id="${id}-t">${escapeHtml(chart.title)}</title><desc id="${id}-d">${escapeHtml(chart.description)}</desc>`;
  return new Html(drawing.replace(/^<svg[^>]*>/, head));
}

/** Draws a chart to inline SVG inside a figure, with its title and description as text that a screen reader finds. */
export async function figureOf(chart: Chart, caption?: Html, legend?: Html): Promise<Html> {
  const wide = await svg(chart.spec, chart);
  const drawings = chart.narrow
    ? html`<div class="wide">${wide}</div><div class="narrow">${await svg(chart.narrow, chart)}</div>`
    : wide;
  return html`<figure><figcaption>${chart.title}</figcaption>${legend}${drawings}${caption && html`<p class="note">${caption}</p>`}</figure>`;
}
