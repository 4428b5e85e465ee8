"""How a report looks: one accent, much white, light and dark and paper from the same variables."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1f24; --soft: #5b626d; --line: #dfe2e8; --paper: #fff; --panel: #f6f7f9;
  --accent: #8a3b12; --second: #1f5f8b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --soft: #a2aab6; --line: #343a43; --paper: #15181c;
  --panel: #1c2025; --accent: #f0a070; --second: #7fbfea; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1.5rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: 1px; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px;
  border-radius: .2rem; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .4rem .8rem; z-index: 1; }
.frame { display: grid; grid-template-columns: 13.5rem minmax(0, 1fr); gap: 0 4rem; max-width: 78rem;
  margin: 0 auto; padding: 3.5rem 2rem 6rem; }
header { grid-column: 2; margin-bottom: 1rem; }
h1 { font-size: 2.1rem; line-height: 1.2; font-weight: 680; letter-spacing: -.02em; margin: 0 0 .5rem;
  overflow-wrap: anywhere; }
header p { color: var(--soft); max-width: 46rem; margin: 0; font-size: 1.05rem; }
nav { grid-row: 1 / span 2; position: sticky; top: 3.5rem; align-self: start; font-size: .9rem; max-height: 90vh;
  overflow-y: auto; }
nav h2 { font-size: .78rem; font-weight: 600; color: var(--soft); margin: .55rem 0 .7rem; letter-spacing: .02em; }
nav ol { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .24rem 0; color: var(--ink); text-decoration: none; }
nav a:hover { color: var(--accent); text-decoration: underline; }
main { grid-column: 2; min-width: 0; }
section { padding-top: 3.4rem; }
section > h2 { font-size: 1.4rem; line-height: 1.3; font-weight: 660; letter-spacing: -.012em; margin: 0 0 1rem;
  padding-top: 1.1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; font-weight: 650; margin: 2.2rem 0 .5rem; }
h4 { font-size: 1rem; font-weight: 650; margin: 1.4rem 0 .4rem; }
p { max-width: 46rem; margin: .7rem 0; }
.note, figcaption, caption { color: var(--soft); font-size: .9rem; line-height: 1.5; }
.note { max-width: 46rem; }
.scores { display: flex; flex-wrap: wrap; gap: 1.4rem 3.2rem; margin: 1.8rem 0 .5rem; padding: 0; }
.scores > div { min-width: 8rem; }
.scores dt { color: var(--soft); font-size: .9rem; }
.scores dd { margin: 0; }
.scores .value { font-size: 2rem; font-weight: 620; letter-spacing: -.02em; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.three { grid-template-columns: repeat(auto-fill, minmax(min(16rem, 100%), 1fr)); gap: 0 1.6rem; }
.scores .range { color: var(--soft); font-size: .85rem; }
figure { margin: 1.4rem 0 1.8rem; break-inside: avoid; }
figure.narrow { max-width: 30rem; }
figcaption { max-width: 46rem; margin-top: .5rem; }
.beside { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 0 2.4rem;
  align-items: start; }
svg.plot { display: block; width: 100%; height: auto; overflow: visible; font-family: inherit; }
svg.plot * { stroke-linejoin: round; stroke-linecap: butt; }
svg.small { display: block; overflow: visible; }
svg.small .bars { fill: var(--accent); opacity: .8; } svg.small .base { stroke: var(--line); fill: none; }
svg.small .line { stroke: var(--accent); stroke-width: 1.4; fill: none; stroke-linejoin: round; }
svg.small .line:nth-of-type(n+2) { stroke: var(--second); stroke-dasharray: 3 1.5; }
svg.diagram { display: block; max-width: 100%; height: auto; margin: 0 auto; font-family: inherit; }
svg.diagram .box { fill: var(--panel); stroke: var(--line); }
svg.diagram .learns { stroke: var(--accent); stroke-width: 1.3; fill: var(--paper); }
svg.diagram .edge { stroke: var(--soft); fill: none; stroke-width: 1.2; }
svg.diagram .past { stroke-dasharray: 5 3; }
svg.diagram .head { fill: var(--soft); }
svg.diagram text { fill: var(--ink); font-size: 13px; }
svg.diagram .soft { fill: var(--soft); font-size: 12px; }
svg.diagram .name { font-weight: 640; }
.scroll { overflow-x: auto; margin: 1.3rem 0 1.6rem; container-type: inline-size; }
h3 + .scroll, h3 + p { margin-top: .4rem; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.45; font-variant-numeric: tabular-nums; }
caption { text-align: left; caption-side: top; padding: 0 0 .5rem; width: max-content; max-width: min(46rem, 100cqw); }
th, td { padding: .36rem 1.4rem .36rem 0; text-align: left; vertical-align: middle; }
th:last-child, td:last-child { padding-right: .2rem; }
thead td { border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; font-size: .84rem; border-bottom: 1px solid var(--line);
  vertical-align: bottom; }
tbody th { font-weight: 550; }
tbody tr + tr > * { border-top: 1px solid color-mix(in srgb, var(--line) 55%, transparent); }
.number { text-align: right; }
table.counts th, table.counts td { padding: .34rem .5rem; min-width: 2.5rem; text-align: right; border: 0; }
table.counts tr > :first-child { text-align: left; padding-left: 0;
  padding-right: 1.2rem; white-space: nowrap; max-width: 11rem;
  overflow: hidden; text-overflow: ellipsis; }
table.counts td { border: 2px solid var(--paper); border-radius: .3rem; }
table.counts td.right { font-weight: 650; } table.counts td.none { color: var(--soft); }
table.counts td.wrong { outline: 1px solid var(--accent); outline-offset: -3px; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.4rem, 1fr)); gap: 1.3rem 1.2rem;
  margin: 1rem 0 1.6rem; padding: 0; list-style: none; }
.examples.wide { grid-template-columns: minmax(0, 1fr); gap: 1.1rem; max-width: 46rem; }
.examples.middling { grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
.examples li { break-inside: avoid; font-size: .86rem; line-height: 1.45; }
.examples .said { display: block; margin-top: .35rem; } .examples .soft, .soft { color: var(--soft); }
.examples b { font-weight: 640; }
.examples blockquote, blockquote { margin: 0; padding: 0 0 0 1rem; border-left: 2px solid var(--line);
  font-size: .97rem; line-height: 1.55; overflow-wrap: anywhere; }
img.picture { display: block; image-rendering: pixelated; border-radius: .25rem; background: var(--panel); }
img.smooth { image-rendering: auto; }
.maps { display: flex; flex-wrap: wrap; gap: 1.2rem; align-items: flex-start; margin: .9rem 0; }
.maps figure { margin: 0; } .maps figcaption { font-size: .84rem; margin-top: .35rem; }
img.shade { background: var(--panel); outline: 1px solid var(--line); }
.bar { display: inline-block; position: relative; width: 9rem; height: .85rem; vertical-align: -.1em;
  background: linear-gradient(var(--line), var(--line)) center / 1px 100% no-repeat; }
.bar i { position: absolute; top: 0; bottom: 0; border-radius: .12rem; }
.bar .for { left: 50%; background: var(--accent); } .bar .against { right: 50%; background: var(--second); }
.share { display: inline-block; width: 9rem; height: .7rem; } .share i { display: block; height: 100%;
  background: var(--accent); opacity: .8; border-radius: .12rem; }
.words { line-height: 2.25; max-width: 46rem; }
.words span { padding: .12rem .22rem; border-radius: .22rem; border-bottom: 2px solid transparent; }
.words .for { border-bottom-color: var(--accent); } .words .against { border-bottom: 2px dashed var(--second); }
.words sub { font-size: .68rem; color: var(--ink); margin-left: .12rem; vertical-align: -.35em; }
.terms { margin: 1rem 0; max-width: 56rem; }
.terms > div { display: grid; grid-template-columns: 12rem minmax(0, 1fr); gap: 0 1.5rem; padding: .32rem 0;
  border-top: 1px solid color-mix(in srgb, var(--line) 55%, transparent); font-size: .93rem; }
.terms > div:first-child { border-top: 0; }
.terms dt { color: var(--soft); } .terms dd { margin: 0; overflow-wrap: anywhere; }
details.part { border: 1px solid var(--line); border-radius: .5rem; margin: 1.2rem 0; }
details.part > summary { cursor: pointer; padding: .65rem 1rem; font-weight: 600; }
details.part > div { padding: 0 1rem .8rem; overflow-x: auto; }
pre { background: var(--panel); border-radius: .45rem; padding: .9rem 1.1rem; overflow-x: auto; margin: 1rem 0;
  font: .86rem/1.55 ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace; }
.finding { border-left: 3px solid var(--accent); padding: .1rem 0 .1rem 1.1rem; margin: 1.2rem 0; }
.finding h3 { margin: 0 0 .2rem; } .finding p { margin: .25rem 0; }
footer { grid-column: 2; color: var(--soft); font-size: .87rem; margin-top: 4rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
@media (max-width: 68rem) { .frame { display: block; padding: 2.4rem 1.6rem 4rem; max-width: 54rem; }
  nav { position: static; margin: 1.6rem 0 0; max-height: none; }
  nav ol { columns: 3; column-gap: 1.5rem; } nav h2 { margin-top: 0; } }
@media (max-width: 40rem) { .frame { padding: 1.6rem 1rem 3rem; } h1 { font-size: 1.65rem; } nav ol { columns: 2; }
  .terms > div { grid-template-columns: 1fr; } th, td { padding-right: .9rem; } }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@page { margin: 18mm 16mm; }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #ccc; --paper: #fff; --panel: #f6f7f9;
  --accent: #8a3b12; --second: #1f5f8b; }
  body { font-size: 10pt; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .frame { display: block; padding: 0; max-width: none; } nav { position: static; margin: 1rem 0 0; }
  nav ol { columns: 3; } nav a { padding: .1rem 0; } .skip { display: none; }
  section { padding-top: 1.6rem; } h2, h3, h4, caption { break-after: avoid; }
  tr, li, .finding { break-inside: avoid; } .scroll { overflow: visible; }
  details.part::details-content { content-visibility: visible; block-size: auto; }
  .told .chainrule details:not([open])::details-content { content-visibility: hidden; block-size: 0; }
  details.part > summary { list-style: none; } a { color: inherit; text-decoration: none; }
  table { font-size: 8.6pt; } th, td { padding-right: .8rem; } }
"""
