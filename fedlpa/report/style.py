"""The report's style sheet.

A Python module and not a .css file because Flower's app bundle carries only a few kinds of files, and
refuses to be built where its include patterns meet another kind.
"""

STYLE = """
:root {
  --ink: #1c2733; --soft: #55626f; --faint: #66727f; --line: #dfe5eb; --wash: #f5f7f9;
  --accent: #154e8a; --novel: #8a4b08; --novel-wash: #fdf1dc;
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif;
  -webkit-print-color-adjust: exact; print-color-adjust: exact;
}
.page { max-width: 1120px; margin: 0 auto; padding: 0 28px 72px; }
header { border-top: 5px solid var(--accent); padding: 30px 0 0; }
.eyebrow {
  margin: 0 0 4px; font-size: .8rem; font-weight: 600; letter-spacing: .07em; text-transform: uppercase;
  color: var(--accent);
}
h1 {
  margin: 0; font-size: 2.15rem; line-height: 1.15; letter-spacing: -.018em; font-weight: 700;
  overflow-wrap: anywhere;
}
.when { margin: 4px 0 0; color: var(--faint); font-size: .92rem; }
.sentence { margin: 16px 0 0; font-size: 1.16rem; line-height: 1.5; max-width: 62ch; }
.tiles {
  list-style: none; margin: 24px 0 0; padding: 0; display: grid; gap: 10px;
  grid-template-columns: repeat(auto-fit, minmax(140px, 1fr));
}
.tiles li { background: var(--wash); border-radius: 8px; padding: 12px 14px 11px; }
.tiles b {
  display: block; font-size: 1.5rem; line-height: 1.2; font-weight: 650; letter-spacing: -.015em;
  white-space: nowrap;
}
.tiles span { display: block; font-size: .86rem; font-weight: 600; line-height: 1.35; margin-top: 2px; }
.tiles small { display: block; font-size: .78rem; line-height: 1.35; color: var(--soft); }
nav {
  margin: 22px 0 0; padding: 10px 0; border-top: 1px solid var(--line);
  border-bottom: 1px solid var(--line);
}
nav a {
  display: inline-block; margin-right: 20px; color: var(--accent); font-size: .92rem;
  text-decoration: none;
}
nav a:hover, nav a:focus { text-decoration: underline; }
section { padding-top: 40px; }
h2 { margin: 0 0 4px; font-size: 1.42rem; line-height: 1.25; letter-spacing: -.012em; font-weight: 680; }
h3 { margin: 0; font-size: 1rem; line-height: 1.35; font-weight: 650; }
.lead { margin: 0 0 18px; color: var(--soft); max-width: 76ch; }
.note { color: var(--soft); font-size: .92rem; max-width: 76ch; margin: 14px 0 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; }
.scroll { overflow-x: auto; max-width: 100%; }
.plain { width: 100%; }
.plain th, .plain td {
  text-align: left; vertical-align: top; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line);
}
.plain thead th {
  font-size: .84rem; font-weight: 600; color: var(--soft); border-bottom-color: #aab4bf;
  vertical-align: bottom;
}
.plain .num { text-align: right; padding-right: 28px; white-space: nowrap; }
.plain th:last-child, .plain td:last-child { padding-right: 0; }
.narrow { max-width: 560px; }
.scores { max-width: 860px; }
.scores th small {
  display: block; font-weight: 400; color: var(--soft); font-size: .82rem; line-height: 1.35;
}
.scores tbody th { font-weight: 650; max-width: 19rem; }
.scores td {
  min-width: 104px; font-size: 1.22rem; font-weight: 620; letter-spacing: -.01em; padding-top: 9px;
}
.bar {
  display: block; height: 5px; margin-top: 5px; border-radius: 3px; background: #e6ebf0;
  overflow: hidden;
}
.bar i { display: block; height: 100%; background: var(--accent); border-radius: 3px; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 34px; margin: 18px 0 0; padding: 0; list-style: none; }
.facts b { font-weight: 650; font-variant-numeric: tabular-nums; }
.grid {
  display: grid; gap: 26px 30px; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr));
}
.grid.tables { align-items: start; margin-top: 18px; }
figure { margin: 0; min-width: 0; break-inside: avoid; display: flex; flex-direction: column; }
figure .chart { margin-top: auto; }
figcaption h3 small { font-weight: 400; color: var(--soft); font-size: .86rem; }
.keys {
  list-style: none; display: flex; flex-wrap: wrap; gap: 1px 16px; margin: 2px 0 6px; padding: 0;
  font-size: .85rem; color: var(--soft);
}
.keys li { display: inline-flex; align-items: center; gap: 6px; overflow-wrap: anywhere; }
.key { width: 24px; height: 8px; flex: none; }
.swatch { width: 12px; height: 12px; flex: none; }
.chart, .map { display: block; width: 100%; height: auto; }
.chart { max-width: 600px; }
.chart * { stroke-linejoin: round; stroke-linecap: butt; }
.chart text { font-family: inherit; font-size: 11px; }
.map { background: #fbfcfd; border: 1px solid var(--line); border-radius: 8px; margin: 8px 0 8px; }
.map path { stroke: #fff; stroke-width: .45; }
.map text {
  font: 650 13px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif;
  text-anchor: middle; dominant-baseline: central; fill: var(--ink);
  stroke: #fff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke;
}
.phases {
  list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 18px; padding: 0;
  font-size: .88rem; color: var(--soft);
}
.phases i {
  display: inline-block; width: 22px; height: 13px; border-radius: 3px; border: 1px solid #d5dbe1;
  margin-right: 7px; vertical-align: -1px;
}
.heat { font-size: .88rem; border-collapse: separate; border-spacing: 2px; }
.heat td { min-width: 48px; height: 34px; padding: 0 5px; text-align: center; border-radius: 3px; }
.heat td.zero { color: #98a3ae; }
.heat td.match { outline: 2px solid var(--ink); outline-offset: -2px; font-weight: 650; }
.heat td.total { color: var(--soft); text-align: right; padding-left: 12px; }
.heat th { font-weight: 600; }
.heat tbody th {
  position: sticky; left: 0; background: #fff; text-align: right; padding-right: 8px; max-width: 16rem;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
}
.heat thead th { vertical-align: bottom; text-align: center; }
.heat thead .up {
  writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; max-height: 11rem; overflow: hidden;
  text-overflow: ellipsis; margin: 0 auto; padding: 0 0 4px; line-height: 1.2; text-align: left;
}
.heat .axis { font-weight: 400; color: var(--soft); text-align: left; font-size: .84rem; padding: 0 0 6px; }
.heat.dense { font-size: .75rem; border-spacing: 1px; }
.heat.dense td { min-width: 28px; height: 25px; padding: 0 2px; }
.tag {
  display: inline-block; font-size: .74rem; font-weight: 600; line-height: 1.5; padding: 0 6px; border-radius: 4px;
  background: #e8eef5; color: var(--accent); vertical-align: 1px;
}
.tag.novel { background: var(--novel-wash); color: var(--novel); }
.novel-name { color: var(--novel); }
.category {
  display: grid; grid-template-columns: minmax(170px, 1fr) minmax(0, 4fr); gap: 4px 20px; padding: 12px 0;
  border-top: 1px solid var(--line); break-inside: avoid; align-items: center;
}
.category:last-of-type { border-bottom: 1px solid var(--line); }
.category h3 { display: flex; align-items: center; gap: 8px; overflow-wrap: anywhere; }
.category p { margin: 2px 0 0; color: var(--soft); font-size: .87rem; line-height: 1.45; }
.pictures { display: flex; flex-wrap: wrap; gap: 6px; }
.pictures img {
  width: 60px; height: 60px; object-fit: contain; background: #000; border-radius: 4px;
  border: 2px solid #fff; outline: 1px solid #ccd3da;
}
.pictures img.smooth { image-rendering: auto; }
.pictures img.pixels { image-rendering: pixelated; }
.pictures img.wrong { outline: 2.5px dashed #c0392b; outline-offset: -1px; }
.purity { display: inline-block; width: 90px; vertical-align: 2px; margin: 0 0 0 10px; }
.config { columns: 2 400px; column-gap: 40px; }
.config dl, .glossary { margin: 0; }
.config div {
  display: flex; justify-content: space-between; gap: 18px; padding: 4px 0; border-bottom: 1px solid var(--line);
  font-size: .9rem; break-inside: avoid;
}
.config dt { color: var(--soft); }
.config dd {
  margin: 0; text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
  white-space: pre-wrap;
}
.glossary {
  display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 8px 24px; max-width: 860px;
}
.glossary dt { font-weight: 650; }
.glossary dd { margin: 0; }
footer {
  margin-top: 48px; padding-top: 12px; border-top: 1px solid var(--line); color: var(--faint);
  font-size: .86rem;
}
@media (max-width: 620px) {
  .page { padding: 0 16px 48px; }
  header { padding-top: 20px; }
  h1 { font-size: 1.65rem; }
  .sentence { font-size: 1.06rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .category { grid-template-columns: minmax(0, 1fr); }
  .pictures img { width: 52px; height: 52px; }
  .scores tbody th { min-width: 9rem; }
  .heat tbody th { max-width: 7rem; }
  .heat td { min-width: 36px; }
  .wide { min-width: 520px; }
  .scores td { min-width: 84px; font-size: 1.08rem; }
  .glossary { grid-template-columns: 1fr; gap: 0; }
  .glossary dd { margin-bottom: 10px; }
}
@page { margin: 14mm; }
@media print {
  body { font-size: 10.5pt; }
  nav { display: none; }
  .page { max-width: none; padding: 0; }
  section { padding-top: 22px; }
  h2, .lead { break-after: avoid; }
  .scroll { overflow: visible; }
  .grid { grid-template-columns: 1fr 1fr; }
  .tiles { grid-template-columns: repeat(6, 1fr); }
  .tiles b { font-size: 1.2rem; }
  .config { columns: 2; }
  .pictures img { width: 36px; height: 36px; }
  .category { grid-template-columns: 150px 1fr; }
  tr { break-inside: avoid; }
}
"""
