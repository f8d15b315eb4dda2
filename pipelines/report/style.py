"""The report's style sheet: one palette for light, one for dark; everything else refers to its names."""

from __future__ import annotations

from typing import Final

LIGHT: Final = """
--page:#f6f7f9;--card:#ffffff;--ink:#171a21;--soft:#586072;--line:#e3e6ec;--fill:#eef0f4;
--accent:#4353d6;--good:#1d8a5f;--good-soft:#d9f0e5;--lost:#c4482f;--lost-soft:#f3cfc6;--warn:#b7791f;
--c0:#4353d6;--c1:#1b9aaa;--c2:#d9822b;--c3:#8a4fc9;--c4:#3c9a5f;--c5:#c9447e;--c6:#7a8094;--c7:#a68a1e;
--q0:#c3d3f5;--q1:#a5bdf0;--q2:#86a5ea;--q3:#6b8ce2;--q4:#5671d6;--q5:#4a57c4;--q6:#4340a6;--q7:#3a2b82;
--q8:#2c1a5c;
"""

DARK: Final = """
--page:#0f1116;--card:#171a21;--ink:#e9ebf0;--soft:#9aa3b5;--line:#2a2f3a;--fill:#222732;
--accent:#8592ff;--good:#46c08f;--good-soft:#1d4a3a;--lost:#f0795f;--lost-soft:#69332a;--warn:#e0a94b;
--c0:#8592ff;--c1:#42c3d2;--c2:#f0a35a;--c3:#b98af0;--c4:#6cc98e;--c5:#f07fb0;--c6:#9aa3b5;--c7:#d3b94a;
--q0:#33305c;--q1:#3d3d80;--q2:#454ea3;--q3:#4f63c0;--q4:#5f7cd6;--q5:#7697e6;--q6:#94b3f0;--q7:#b7d0f7;
--q8:#e0edfd;
"""

RULES: Final = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue","Noto Sans","Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:32px 24px 48px}
h1{font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.02em;margin:0;overflow-wrap:anywhere}
h1 .dim{font-weight:400}
h2{font-size:15px;font-weight:600;margin:0 0 2px}
h3{font-size:13px;font-weight:600;margin:0 0 10px;overflow-wrap:anywhere}
p{margin:0}
.dim,.note,.sub,.eyebrow{color:var(--soft)}
.sub{font-size:13px;margin-bottom:18px;max-width:72ch}
.eyebrow{font-size:13px;margin-bottom:6px}
.mono{font:12.5px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace}
header{display:flex;flex-wrap:wrap;gap:8px 24px;align-items:flex-end;justify-content:space-between;
margin-bottom:20px}
.badge{display:inline-flex;align-items:center;gap:8px;font-weight:600;font-size:14px;
padding:6px 14px 6px 12px;
border-radius:99px}
.badge::before{content:"";width:8px;height:8px;border-radius:50%;background:currentColor}
.badge.good{color:var(--good);background:color-mix(in srgb,var(--good) 12%,var(--card))}
.badge.lost{color:var(--lost);background:color-mix(in srgb,var(--lost) 12%,var(--card))}
.run{display:flex;flex-wrap:wrap;gap:2px 20px;color:var(--soft);margin-top:8px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 22px 22px;
min-width:0}
.grid{display:grid;grid-template-columns:repeat(12,minmax(0,1fr));gap:16px}
.w12{grid-column:span 12}.w7{grid-column:span 7}.w6{grid-column:span 6}.w5{grid-column:span 5}
.stack{display:grid;gap:16px;align-content:start}
.facts,.legend{display:flex;flex-wrap:wrap;gap:2px 18px;font-size:13px;color:var(--soft)}
.facts b{color:var(--ink);font-weight:600}
.key{display:flex;flex-wrap:wrap;padding:0;overflow:hidden;gap:1px;background:var(--line)}
.key div{flex:1 1 150px;background:var(--card);padding:16px 20px}
.key b{display:block;font-size:24px;line-height:1.25;font-weight:600;letter-spacing:-.01em;white-space:nowrap}
.key span{font-size:13px;color:var(--soft)}
.key span.what{display:block}

.flow{display:grid;grid-template-columns:auto minmax(60px,1fr) minmax(190px,22%);gap:14px;align-items:start}
.flow svg{width:100%;display:block;overflow:visible}
.flow .from{font-size:13px;color:var(--soft);padding-top:42px;text-align:right}
.flow .from b,.way.good b{display:block;font-size:22px;line-height:1.2;color:var(--ink);font-weight:600}
.way.good b{display:inline}
.flow path.good{fill:var(--good-soft)}.flow path.lost{fill:var(--lost-soft)}
.flow rect{fill:var(--soft)}
.flow path:hover{filter:saturate(1.6)}
.ways{position:relative;align-self:stretch}
.way{position:absolute;left:0;right:0;font-size:13px;line-height:1.45;padding-left:10px;border-left:3px solid}
.way.good{border-color:var(--good)}.way.lost{border-color:var(--lost)}
.way .name{display:block;color:var(--soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}

.plot{position:relative;height:150px;margin:4px 4px 26px 0}
.plot svg{width:100%;height:100%;display:block;border-bottom:1px solid var(--line);overflow:visible}
.plot .column{fill:var(--accent)}.plot .column:hover{fill:var(--ink)}
.plot line,.plot polyline,.dot{vector-effect:non-scaling-stroke;fill:none}
.plot .grid{stroke:var(--line);stroke-width:1}
.plot .median{stroke:var(--lost);stroke-width:1.5;stroke-dasharray:4 3}
.plot .area{fill:var(--accent);opacity:.14}.plot .curve{stroke:var(--accent);stroke-width:2;
stroke-linejoin:round}
.plot span{position:absolute;font-size:12px;color:var(--soft);white-space:nowrap;line-height:1}
.plot .x{top:calc(100% + 7px);transform:translateX(-50%)}
.plot .x[style="left:0%"]{transform:none}.plot .x[style="left:100%"]{transform:translateX(-100%)}
.plot .y{right:calc(100% + 8px);transform:translateY(50%)}
.paced .plot{margin-left:44px}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:26px 32px}

.bars{display:grid;grid-template-columns:max-content minmax(60px,1fr);gap:9px 14px;align-items:center;
font-size:14px}
.bars.two{grid-template-columns:minmax(0,max-content) minmax(60px,1fr) max-content max-content}
.bars .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;max-width:180px}
.bars .dim{font-size:12px}
.num{text-align:right;white-space:nowrap}
.bar{display:flex;height:14px;border-radius:4px;overflow:hidden;background:var(--fill);gap:1px}
.bar.tall{height:26px;border-radius:6px;margin-bottom:16px}.bar.bare{background:none}
.bar.bare i{border-radius:4px}
.bar i{display:block;min-width:1px}
i.present{background:var(--c0)}i.absent{background:var(--absent)}i.masked{background:var(--warn)}
i.lost{background:var(--lost)}i.accent{background:var(--accent)}
.box{position:relative;height:14px;background:var(--fill);border-radius:4px}
.box i{position:absolute;top:0;bottom:0}
.box .whisker{top:6px;bottom:6px;background:var(--soft)}
.box .half{border-radius:3px;min-width:2px}
.box .middle{width:2px;margin-left:-1px;background:var(--card)}
.box .reference{width:0;border-left:1.5px dashed var(--lost)}
.box .point{width:9px;height:9px;top:2.5px;margin-left:-4.5px;border-radius:50%;background:var(--soft)}
.box .point.main{background:var(--accent)}
.forest + .note{margin-top:8px;font-size:13px}
.note + .forest{margin-top:14px}.forest ~ .facts{margin-top:6px}.facts + h3{margin-top:20px}
.refused{border-left:3px solid var(--lost);padding-left:12px;margin-bottom:14px}
.refused ul{margin:4px 0 0;padding-left:20px;color:var(--soft)}
.matrix th:first-child{width:1%}
.matrix td{border-bottom:1px solid var(--card);border-right:1px solid var(--card)}
.swatch{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px}
.legend{margin-bottom:12px}

.map svg{width:100%;display:block;background:var(--fill);border-radius:8px;margin-bottom:12px}
.map .panel{display:none}.map > .panel:first-child{display:block}
.map .tab{position:absolute;opacity:0;pointer-events:none}
.tabs{display:flex;flex-wrap:wrap;gap:4px;align-items:center;font-size:13px;margin-bottom:12px;
background:var(--fill);
border-radius:8px;padding:3px;width:fit-content}
.tabs .dim{padding:0 6px 0 8px}
.tabs label{padding:3px 11px;border-radius:6px;cursor:pointer;color:var(--soft)}
.dot{stroke-width:3.4px;stroke-linecap:round;opacity:.8}.dot.accent{stroke:var(--accent)}
.dot.other{stroke:var(--soft)}
.swatch.other{background:var(--soft)}
.map .legend{align-items:center}
.ramp{display:inline-flex;border-radius:4px;overflow:hidden}.ramp i{width:18px;height:10px}

.scroll{overflow-x:auto;margin:0 -4px;padding:0 4px}
table{border-collapse:collapse;width:100%;font-size:14px}
th{font-weight:500;color:var(--soft);font-size:13px;text-align:left;padding:6px 12px 6px 0;
border-bottom:1px solid var(--line);
white-space:nowrap}
td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
th.num,td.num{text-align:right;width:1%}
td:last-child,th:last-child{padding-right:0}
td .bar{width:100%;min-width:70px;height:8px;margin-top:7px;background:none}
td .bar i{border-radius:3px;min-width:2px}
td.text{overflow-wrap:anywhere;min-width:120px}
tr.more td{color:var(--soft)}
details{border-bottom:1px solid var(--line)}
details:last-child{border-bottom:0}
summary{cursor:pointer;padding:11px 0;font-weight:500;display:flex;gap:10px;justify-content:space-between;
list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"";flex:none;width:7px;height:7px;border:solid var(--soft);
border-width:0 1.5px 1.5px 0;
transform:rotate(-45deg);margin:8px 0 0 3px;transition:transform .12s}
details[open] > summary::before{transform:rotate(45deg);margin-top:6px}
summary .dim{font-weight:400;font-size:13px;margin-left:auto;text-align:right;overflow-wrap:anywhere}
summary:focus-visible,.tabs label:focus-visible{outline:2px solid var(--accent);border-radius:4px}
details > *:last-child{margin-bottom:16px}
pre{margin:0;padding:14px 16px;background:var(--fill);border-radius:8px;overflow-x:auto;max-height:520px}
footer{color:var(--soft);font-size:13px;margin-top:20px}

@media(max-width:820px){.w7,.w6,.w5{grid-column:span 12}}
@media(max-width:520px){
main{padding:20px 12px 32px}.card{padding:16px}.key{padding:0}.key div{padding:12px 14px}
.key b{font-size:20px}h1{font-size:25px}
.key div{flex-basis:40%}
.flow{grid-template-columns:minmax(40px,1fr) minmax(0,62%)}.flow .from{grid-column:span 2;padding:0;
text-align:left}
.bars .name{max-width:90px}.bars,.bars.two{column-gap:10px}}
@media print{
body{background:#fff;font-size:12px}main{max-width:none;padding:0}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.card{break-inside:avoid}.card.long{break-inside:auto}
pre{max-height:none;white-space:pre-wrap;overflow-wrap:anywhere}
details::details-content{content-visibility:visible;display:block;height:auto}}
"""


def style_sheet(extra: str) -> str:
    """The whole sheet: palettes, rules, and rules made elsewhere."""
    categories = "".join(
        f".dot.c{i},.plot .curve.c{i}{{stroke:var(--c{i})}}i.c{i}{{background:var(--c{i})}}" for i in range(8)
    )
    steps = "".join(
        f".dot.q{i}{{stroke:var(--q{i})}}i.q{i}{{background:var(--q{i})}}"
        f"td.q{i}{{background:color-mix(in srgb,var(--accent) {6 + 8 * i}%,var(--card))}}"
        for i in range(9)
    )
    light = f":root{{color-scheme:light dark;{LIGHT}--absent:#c9cfdb;}}"
    # Paper is white whatever the screen is.
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{DARK}--absent:#4a5263;}}}}"
    return "\n".join((light, dark, categories, steps, RULES, extra))
