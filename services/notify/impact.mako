<%!
WORDS = {"school": "School", "agency": "Agency", "area": "Local authority"}
FEW = "too few to show"
WIDTH, ROW, LABEL, BAR = 640, 26, 210, 360

def said(value):
    return FEW if value is None else value

def percent(value):
    return FEW if value is None else f"{100 * value:.1f} %"

def words(name):
    return name.replace("_", " ").replace("-", " ").capitalize()
%>
<%def name="bars(title, rows, most, tell)">
<svg viewBox="0 0 ${WIDTH} ${ROW * len(rows) + 4}" role="img" aria-label="${title}">
<title>${title}</title>
% for n, (name, value) in enumerate(rows):
<text x="${LABEL - 8}" y="${n * ROW + 18}" text-anchor="end">${name}</text>
% if value:
<rect x="${LABEL}" y="${n * ROW + 5}" width="${round(BAR * value / most, 1)}" height="${ROW - 9}"/>
% endif
<text x="${LABEL + (BAR * value / most if value else 0) + 6}" y="${n * ROW + 18}">${tell(value)}</text>
% endfor
</svg>
</%def>
<%def name="counts(title, parts)">
% if parts:
${bars(title, [(words(name), count) for name, count in parts.items()], max([1, *(c or 0 for c in parts.values())]), said)}
% else:
<p>None in this time.</p>
% endif
</%def>
<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<title>What was done, and did it help</title>
<style>
body { font: 15px/1.45 sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #aaa; vertical-align: top; }
svg { width: 100%; height: auto; font: 13px sans-serif; }
rect { fill: #1f5fa8; }
section { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; } rect { print-color-adjust: exact; } }
</style>
</head>
<body>
<h1>What was done, and did it help</h1>
<p>${WORDS[found.about]} ${found.id}, alerts raised from ${found.first} to ${found.last}.</p>
<section>
<h2>Alerts</h2>
<table>
<tr><th>Children</th><td>${said(found.children)}</td></tr>
<tr><th>Bells about them</th><td>${said(found.bells)}</td></tr>
<tr><th>Alerts to people</th><td>${said(found.alerts)}</td></tr>
<tr><th>Acknowledged</th><td>${said(found.answers.acknowledged)}; half of them within ${said(found.answers.hours_to_acknowledge)} hours</td></tr>
<tr><th>Acted on</th><td>${said(found.answers.acted)}; half of them within ${said(found.answers.hours_to_act)} hours</td></tr>
<tr><th>Closed</th><td>${said(found.answers.closed)}</td></tr>
</table>
</section>
<section>
<h2>What was done</h2>
${counts("Actions", found.actions)}
</section>
<section>
<h2>What came of it</h2>
${counts("Outcomes", found.outcomes)}
</section>
<section>
<h2>False bells, by rule</h2>
% if found.rules:
${bars("Share of closed alerts that were false bells", [(f"{words(r.kind)} ({r.version})", r.false_share) for r in found.rules], 1, percent)}
<table>
<tr><th>Rule (version)</th><th>Bells</th><th>Alerts closed</th><th>False</th></tr>
% for r in found.rules:
<tr><td>${words(r.kind)} (${r.version})</td><td>${said(r.bells)}</td><td>${said(r.closed)}</td><td>${said(r.false_bells)}</td></tr>
% endfor
</table>
% else:
<p>None in this time.</p>
% endif
</section>
<section>
<h2>Absence, 20 school days before and after</h2>
% for c in found.attendance:
<h3>${"Something was done" if c.group == "acted" else "Nothing is recorded as done"}: ${"no pupils yet" if c.pupils == 0 else f"{said(c.pupils)} pupils" if c.pupils else FEW}</h3>
% if c.pupils:
${bars("Absence before and after, beside pupils alike", [("Before", c.absence_before), ("After", c.absence_after), ("Pupils alike, before", c.alike_before), ("Pupils alike, after", c.alike_after)], max(.01, c.absence_before, c.absence_after, c.alike_before, c.alike_after), percent)}
<p>Beside pupils alike, absence fell by ${f"{100 * abs(c.difference):.1f}"} percentage points ${"less" if c.difference < 0 else "more"}.</p>
% endif
% endfor
<p>Pupils alike are of the same school, had no bell in that time, and had been away about as much before.
A difference beside them is no proof of what caused it: who is helped is not chosen by lot.</p>
</section>
<p>Hours are by the clock. Figures that rest on few children are not shown, and where one is hidden
another may be with it, so that no sum tells it.</p>
</body>
</html>
