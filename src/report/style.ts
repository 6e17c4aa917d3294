const light = `
  --paper: #fff; --ink: #1b1f24; --soft: #5b6570; --line: #e1e5ea; --wash: #f5f7f9; --link: #0b5cad;
  --judge: #c2501a; --grader: #0b7d62; --base: #7b8794; --truth: #1f6fb5; --reward: #9a4fb0; --bad: #c02f3a;
  --other-1: #7a5af0; --other-2: #a8722a; --other-3: #b03a86; --other-4: #4f7d1f;
  --pass-ink: #0a5c34; --pass: #e3f5ea; --fail-ink: #9c1c28; --fail: #fdeaea; --inconclusive-ink: #7a5200; --inconclusive: #fdf3d8;`;
const dark = `
  --paper: #14181c; --ink: #e6eaee; --soft: #9aa5b1; --line: #2c343c; --wash: #1c2228; --link: #74b6f2;
  --judge: #f08a4f; --grader: #3fc19c; --base: #8f9baa; --truth: #62acec; --reward: #c88ae0; --bad: #f0717a;
  --other-1: #a994ff; --other-2: #d7a85e; --other-3: #ec86c6; --other-4: #9ccb63;
  --pass-ink: #7fe0a8; --pass: #12301f; --fail-ink: #ff9aa2; --fail: #3a171b; --inconclusive-ink: #f1c765; --inconclusive: #352a10;`;

/** The report's style sheet. Print is always light: paper is white. */
export const style = `
:root { color-scheme: light dark; ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; letter-spacing: 0.01em; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 0.6rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 0.4rem; }
p { margin: 0.5rem 0 0.9rem; max-width: 44rem; }
section { margin-top: 2.6rem; padding-top: 1.4rem; border-top: 1px solid var(--line); }
a { color: var(--link); }
a.word { color: inherit; text-decoration: underline dotted var(--soft); text-underline-offset: 3px; cursor: help; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th code { overflow-wrap: anywhere; }
code, pre { font: 0.86rem/1.5 ui-monospace, monospace; }
pre { background: var(--wash); padding: 0.8rem 1rem; border-radius: 6px; overflow-x: auto; }
.kicker { color: var(--soft); margin: 0 0 0.8rem; overflow-wrap: anywhere; }
.verdict { padding: 1.1rem 1.3rem; border-radius: 10px; border-left: 6px solid; margin-bottom: 1rem; }
.verdict p { color: var(--ink); margin: 0.4rem 0 0; font-size: 1.08rem; }
.verdict .mark { font-weight: 700; }
.pass { background: var(--pass); color: var(--pass-ink); border-color: var(--pass-ink); }
.fail { background: var(--fail); color: var(--fail-ink); border-color: var(--fail-ink); }
.inconclusive { background: var(--inconclusive); color: var(--inconclusive-ink); border-color: var(--inconclusive-ink); }
.none { background: var(--wash); color: var(--soft); border-color: var(--soft); }
.badge { display: inline-block; padding: 0.05rem 0.55rem; border-radius: 99px; border: 1px solid; font-size: 0.78rem; font-weight: 650; }
.failure, .warning { padding: 0.7rem 1rem; border-radius: 6px; background: var(--fail); overflow-wrap: anywhere; }
.warning { background: var(--inconclusive); }
.missing { padding: 0.6rem 1rem; border-radius: 6px; background: var(--wash); color: var(--soft); }
.note { color: var(--soft); font-size: 0.88rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.6rem, 1fr)); gap: 0.8rem; margin: 1.2rem 0 0; }
.tiles > div { padding: 0.7rem 0.8rem; border: 1px solid var(--line); border-radius: 10px; }
.tiles dt { color: var(--soft); font-size: 0.88rem; }
.tiles dd { margin: 0; }
.tiles strong { display: block; white-space: nowrap; font-size: 1.4rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles strong small { font-size: 0.85rem; font-weight: 550; }
.tiles .badge { display: inline-block; color: inherit; font-size: 0.72rem; }
.tiles .badge.pass { color: var(--pass-ink); }
.tiles .badge.fail { color: var(--fail-ink); }
.tiles .badge.inconclusive { color: var(--inconclusive-ink); }
.tiles strong.absent { font-size: 1.1rem; font-weight: 550; color: var(--soft); }
.tiles span { display: block; font-size: 0.82rem; color: var(--soft); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 0.4rem 2rem; align-items: start; }
figure { margin: 1rem 0; min-width: 0; }
figcaption { font-weight: 650; font-size: 0.95rem; margin-bottom: 0.4rem; }
figure svg { display: block; width: 100%; height: auto; }
figure svg text { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; list-style: none; margin: 0 0 0.3rem; padding: 0; font-size: 0.85rem; }
.legend li { white-space: nowrap; }
.legend svg { display: inline-block; width: 34px; vertical-align: middle; }
figure .note { margin-top: 0.3rem; }
.narrow { display: none; }
.scroll { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 650; font-size: 0.95rem; padding-bottom: 0.35rem; }
th, td { text-align: left; padding: 0.4rem 0.7rem 0.4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 550; }
tbody th { font-weight: 550; }
td { overflow-wrap: break-word; }
th small, td small { display: block; color: var(--soft); font-size: 0.78rem; font-weight: 400; }
details tbody th { min-width: 8.5rem; }
tbody th:first-child { position: sticky; left: 0; background: var(--paper); }
.counts { width: auto; font-size: 0.82rem; }
.counts th, .counts td { padding: 0.3rem 0.3rem; text-align: right; border: 1px solid var(--paper); }
.counts caption { white-space: nowrap; }
.counts .corner { font-size: 0.75rem; line-height: 1.3; white-space: nowrap; }
.counts td { min-width: 1.75rem; background: color-mix(in srgb, var(--grader) calc(6% + 94% * var(--share)), var(--paper)); }
.counts td.dark { color: var(--paper); }
.counts td.same { outline: 1.5px solid var(--soft); outline-offset: -1.5px; }
.follows h2 { margin-top: 1.6rem; }
.follows h3 { margin-top: 1rem; }
.follows .findings { margin: 0.3rem 0; }
.findings { max-width: 44rem; padding-left: 1.2rem; }
.findings li { margin-bottom: 0.35rem; }
details { margin: 0.7rem 0; }
.number { text-align: right; }
td.number, td time, th time { white-space: nowrap; }
summary { cursor: pointer; color: var(--link); }
.glossary { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0.7rem 2rem; font-size: 0.9rem; margin: 0; }
.glossary dt { font-weight: 650; }
.glossary dd { margin: 0; color: var(--soft); }
.glossary div:target { background: var(--inconclusive); outline: 6px solid var(--inconclusive); }
@media (max-width: 40rem) {
  .wide { display: none; }
  .narrow { display: block; }
  main { padding: 1rem 1rem 3rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  tbody th { min-width: 7.5rem; }
  td:not(.number, .counts td) { min-width: 9rem; }
  .counts tbody th { min-width: 0; }
  .counts caption { white-space: normal; }
  .stack, .stack caption, .stack tbody, .stack tr, .stack th, .stack td { display: block; text-align: left; min-width: 0; }
  .stack thead { display: none; }
  .stack tr { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  .stack th, .stack td { padding: 0.15rem 0; border: 0; white-space: normal; }
  .stack td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  .stack td small { display: inline-block; margin-left: 0.5rem; }
  .stack td.nothing { display: none; }
}
@media print {
  :root { color-scheme: light; ${light} }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  .tiles { grid-template-columns: repeat(4, 1fr); }
  section { break-inside: auto; margin-top: 1.4rem; }
  figure, table, .verdict, .tiles { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
  .scroll { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
