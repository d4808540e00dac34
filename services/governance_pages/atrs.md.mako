<%def name="blank(what)">*[operator: ${what}]*</%def>\
# Algorithmic transparency record

In the form of the Algorithmic Transparency Recording Standard (UK government, version 3.0). Written
by `firstbell docs` from the rules, routes and policies in force; a test fails when this page and
those differ. What only the operator can say is marked ${blank("…")}.

${"##"} Tier 1: overview

**1.1 Name.** Firstbell

**1.2 Description.** Firstbell reads school attendance registers as schools send them and rings a
*bell* when a pupil's absence shows one of ${len(rules)} patterns, so that the school's staff, a child's social
worker or another responsible person can look into it the same morning. It is used because such
patterns are often seen too late. It takes no decision about a child: it prompts a person, and says
why it does so.

**1.3 Website.** ${blank("address")}

**1.4 Contact.** ${blank("e-mail address")}

${"##"} Tier 2: detail

${"###"} 2.1 Owner and responsibility

**2.1.1 Organisation.** ${blank("organisation")}

**2.1.2 Team.** ${blank("team")}

**2.1.3 Senior responsible owner.** ${blank("name and role")}

**2.1.4 External suppliers.** ${blank("supplier, Companies House number, role, procurement, terms of access to data; or none")}

${"###"} 2.2 Description and rationale

**2.2.1 Detailed description.** Each rule is a fold over a school's sessions: a fixed computation on
the attendance codes of each pupil, in order. The same registers give the same bells, whatever way
they came. A bell tells the sessions, the figures, the rule's version and its source.

**2.2.2 Scope.** Attendance registers of the schools that take part, the school's calendar and roll,
and, for one rule, whether a social worker or youth justice worker works with the child. No other
data of a child is used. It is not to be used to score, rank or sanction children or parents.

**2.2.3 Benefit.** Absence that may be a sign of harm reaches those who can help on the day on which it
shows; how early, and with how many false bells, is measured in `docs/detection.md`.

**2.2.4 Previous process.** ${blank("how absence was looked into before")}

**2.2.5 Alternatives considered.** Models trained on past outcomes were not used: they would repeat how
children were treated in the past, and could not be explained sentence by sentence. Simple thresholds
alone were measured beside the rules (`docs/detection.md`).

${"###"} 2.3 Decision-making process

**2.3.1 Process integration.** A bell goes to the roles below; each works by their own procedures.

| kinds of bell | roles, and how they are found |
|---|---|
% for kinds, to in routes:
| ${cell(kinds)} | ${cell(to)} |
% endfor

**2.3.2 Information provided.** The kind of bell, its severity, the child in the fields that the
recipient may see, an explanation in words and the figures behind it. ${len(policies)} policies decide the fields; the
lawful basis of each is in `docs/dpia.md` and in every alert.

**2.3.3 Frequency and scale.** With each register that comes, twice a school day. ${blank("schools, pupils, bells a week")}

**2.3.4 Human decisions and review.** Every bell is looked at by a person, who acknowledges it, records
what was done and closes it with an outcome; that it was a false bell is one of them.\
% if any("approval" in policy for policy in policies):
 Some disclosures wait for a named person's approval, as a policy says.\
% endif


**2.3.5 Required training.** ${blank("training of recipients; at least: what a bell means and does not mean")}

**2.3.6 Appeals and review.** A wrong mark is put right by the school as a correction: the bell is
withdrawn, and everybody who was told is told so. `firstbell subject-access` gives a family all that is
held and was shared. ${blank("how to complain")}

${"###"} 2.4 Tool specification

**2.4.1 System.** Three services with an event log between them: registers, risk, notification
(`docs/architecture.md`). Phase: ${blank("phase")}. Maintenance: each rule has a version, which is in
every bell; figures are searched anew on made-up years when rules change.

**2.4.2 Models.** No machine-learned model. The rules:

% for rule in rules:
**`${rule["kind"]}`, version ${rule["version"]}${" (emerging pattern)" if rule["emerging"] else ""}.** ${rule["title"]}. Figures: ${rule["figures"]}.
Source: ${rule["source"]}. ${rule["asks"]}

% endfor
**2.4.3 Development data.** Figures were chosen on made-up authorities' years, calibrated to the
Department for Education's published statistics (`libs/simulator`). No child's data were used.

**2.4.4 Operational data.** Registers, rolls and calendars that schools send; involvements that
authorities and social care set. Sensitive: what codes say of health and religion, and who works with
a child. Processing, access and storage: `docs/dpia.md`, section 2. Sharing agreements: ${blank("agreements")}

${"###"} 2.5 Risks, mitigations and impact assessments

**2.5.1 Impact assessment.** `docs/dpia.md`. ${blank("equality impact assessment")}

**2.5.2 Risks and mitigations.** False bells, bells for whole groups, and bells taken for decisions:
`docs/dpia.md`, sections 5 and 6; detection and fairness by group: `docs/detection.md`.
