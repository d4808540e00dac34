<%!
    def told(value):
        if isinstance(value, dict):
            return "; ".join(f"{name.replace('_', ' ')}: {told(part)}" for name, part in value.items())
        if isinstance(value, list):
            return ", ".join(told(part) for part in value)
        return "" if value is None else str(value)
%>\
<%def name="table(rows, columns)">\
% if rows:
<table>
<tr>\
% for title in columns:
<th>${title}</th>\
% endfor
</tr>
% for row in rows:
<tr>\
% for value in row:
<td>${told(value)}</td>\
% endfor
</tr>
% endfor
</table>
% else:
<p>Nothing is held.</p>
% endif
</%def>\
<%
    registers = found["registers_and_rolls"]
    analysis = found["analysis"]
    sharing = found["sharing"]
    people = found["practitioners"]

    def who(recipient):
        person = people.get(recipient)
        if person is None:
            return recipient
        roles = ", ".join(role.replace("_", " ") for role in person["roles"])
        return f"{person['name']}, {roles}, {person['agency']}"
%>\
<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<title>What is held about this child, and was shared</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { border: 1px solid #b1b4b6; padding: .3rem .5rem; text-align: left; vertical-align: top; }
.first { border-left: .5rem solid #1d70b8; padding-left: 1rem; }
@media print { a { color: inherit; } tr { break-inside: avoid; } }
</style>
</head>
<body>
<h1>What is held about this child, and was shared</h1>
<p>Unique Pupil Number ${found["upn"]}. Made at ${found["made_at"]}.</p>
<div class="first">
<p><strong>Before this is handed over, a person reads it.</strong> Other children's numbers and full
names were replaced by “[another child]”. Comments and notes are as people wrote them: they may
still tell of somebody else. Whoever hands this over also decides whether any of it must be held back
because it would cause serious harm.</p>
</div>
<p>Practitioners are named because they acted as professionals, with their roles and agencies. Their
e-mail addresses are left out.</p>
<h2>On the rolls of schools</h2>
${table([(row["urn"], row["pupil"]) for row in registers["rolls"]], ("School", "What the school says"))}
<h2>Who works with the child</h2>
${table(
    [(who(one["practitioner"]), one["role"].replace("_", " "), one["footing"].replace("_", " "),
      one["from"], one["to"]) for one in sharing["involvements"]],
    ("Who", "In which role", "On what footing", "From", "To"))}
<h2>Bells</h2>
<p>A bell is what a rule found in the registers. It prompts a person to look; it decides nothing.</p>
${table(
    [(bell["kind"], bell["severity"], bell["status"], bell["raised_on"], bell["explanation"],
      bell["evidence"], bell["rule"]["source"]) for bell in analysis["bells"]],
    ("Kind", "Severity", "Now", "Rang on", "In words", "Figures", "On what authority"))}
<h2>Alerts: who was told of a bell, and what they did</h2>
% for held in sharing["alerts"]:
<h3>${who(held["recipient"])}</h3>
<p>${held["alert"]["kind"]}, ${held["alert"]["status"]}, raised at ${held["alert"]["raised_at"]}.</p>
${table([(one["at"], one["what"], one["by"], {n: v for n, v in one.items() if n not in ("at", "what", "by")})
         for one in held["alert"]["history"]], ("When", "What", "By", "More"))}
% endfor
% if not sharing["alerts"]:
<p>Nothing is held.</p>
% endif
<h2>Decisions to share, and what came of them</h2>
${table(
    [(one["decided_at"], who(one["recipient"]), one["decision"].replace("_", " "), one["fields"],
      one["withheld"], one["basis"], one["policies"]) for one in sharing["disclosures"]],
    ("When", "To whom", "Decision", "Shared", "Withheld", "Lawful basis", "Policies"))}
<h2>Messages that were sent</h2>
${table(
    [(one["delivery"]["created_at"], one["delivery"]["type"], one["delivery"]["state"], one["body"].get("data"))
     for one in sharing["deliveries"]],
    ("When", "Type", "State", "What it said"))}
<h2>Marks in the registers</h2>
${table(
    [(mark["urn"], mark["day"], mark["session"], mark["code"], meanings.get(mark["code"]),
      mark["minutes_late"], mark["comment"], mark["group"]) for mark in registers["marks"]],
    ("School", "Day", "Session", "Code", "Meaning", "Minutes late", "Comment", "Group"))}
<h2>Corrections of marks</h2>
${table(
    [(one["at"], one["urn"], one["day"], one["session"], one["from_code"], one["to_code"],
      one["from_comment"], one["to_comment"], one["subject"]) for one in registers["corrections"]],
    ("When", "School", "Day", "Session", "From", "To", "Comment before", "Comment after", "By"))}
<h2>Marks that could not be taken</h2>
${table(
    [(one["at"], one["urn"], one["day"], one["session"], one["code"], one["reason"])
     for one in registers["not_taken"]],
    ("When", "School", "Day", "Session", "Code", "Why not"))}
<h2>Copies for analysis</h2>
<p>The marks are held a second time, as a school's book, to find patterns in them.</p>
${table(
    [(book["urn"], book["entered_on"], book["left_on"], book["home_la"], len(book["marks"]))
     for book in analysis["books"]],
    ("School", "Entered on", "Left on", "Home authority", "Marks"))}
<h2>If something is wrong</h2>
<p>A wrong mark is put right by the school, as a correction of its register: bells that rested on it
are withdrawn, and everybody who was told is told so. What the roll says is put right by the school
too. You may also object, or complain to the Information Commissioner's Office.</p>
</body>
</html>
