<%def name="blank(what)">*[operator: ${what}]*</%def>\
# Data protection impact assessment

Written by `firstbell docs` from the rules, routes, policies and settings in force; a test fails when
this page and those differ. It has the seven steps of the Information Commissioner's guidance. What
only the controllers can say is marked ${blank("…")}.

${"##"} 1. Why an assessment is needed

Firstbell evaluates the attendance of children systematically, across whole authorities, combines
data of several agencies, and handles data of vulnerable people and of special categories. Each of
these alone calls for an assessment (UK GDPR Art. 35; the Commissioner's list). It takes no decision:
a bell prompts a person, and says so.

${"##"} 2. The processing

**Nature.** Schools push registers, rolls and calendars. Rules look for the patterns in section 2.1.
A finding is a *bell*; routes (2.2) name the roles that need to know; policies (2.3) decide, field by
field, what each may see. What is shared or withheld is written into a ledger that shows any later
change. Nothing is learned from one child's data about another; no model is trained on them.

**Scope.** Pupils on the rolls of the schools that take part, their marks in each session with
minutes late and comments, and who works with them on what footing. Special categories: what a mark
says about health (codes I and M) or religion (code R). Volume and area: ${blank("schools, pupils, authorities")}.

**Context.** Children, of whom some are at risk; they and their parents expect schools to act on
absence (Working together to improve school attendance, August 2024). Schools, authorities, social
care, health, youth justice and police hold different roles and are kept apart.

**Purposes.** To see early that a child's absence is a sign of something wrong, and to bring it to
those who can help, with no more than each needs.

${"###"} 2.1 What the rules look for

| kind | what | version | figures | on what authority |
|---|---|---|---|---|
% for rule in rules:
| `${rule["kind"]}` | ${cell(rule["title"])} | ${rule["version"]} | ${cell(rule["figures"])} | ${cell(rule["source"])} |
% endfor

${"###"} 2.2 Who needs to know

| kinds of bell | roles, and how they are found |
|---|---|
% for kinds, to in routes:
| ${cell(kinds)} | ${cell(to)} |
% endfor

${"###"} 2.3 What each may see, and on what lawful basis

No policy that permits means withheld; `forbid` wins; an error shares nothing.

| policy | effect | lawful basis | source | relied upon from |
|---|---|---|---|---|
% for policy in policies:
| ${policy.get("id", "")} | ${policy["effect"]} | ${cell(policy.get("basis", ""))} | ${cell(policy.get("source", ""))} | ${policy.get("from", "")} |
% endfor

${"###"} 2.4 What is held, and for how long

% for service, held in tables.items():
**${service}**

| table | what |
|---|---|
% for name, what in held:
| `${name}` | ${cell(what)} |
% endfor

% endfor
| setting | usual value | meaning |
|---|---|---|
% for name, value, meaning in settings:
| `${name}` | ${value} | ${cell(meaning)} |
% endfor

A daily job in each service erases what is older. Events in the log (${", ".join(topics)}) carry
marks, rolls, involvements and bells, without comments, and stay so long as
`FIRSTBELL_RETAIN_EVENTS_DAYS` says: the embedded log erases them, of Kafka's topics that Firstbell
makes it is the `retention.ms`. Of involvements the latest of each child stays. Topics made by others:
${blank("their retention")}.

${"##"} 3. Consultation

${blank("how children, parents, schools and the agencies' practitioners were asked, and what they said; the data protection officer's advice")}

${"##"} 4. Necessity and proportionality

- **Lawful basis**: with each policy, in 2.3, and in the record of each decision.
- **Minimisation**: a recipient sees the fields that a policy permits and no other. The Unique Pupil
  Number stays within education; other agencies see their own identifier of the child. What an alert
  shows is decided again at each read: a role or a restriction that has changed since counts at once.
- **Accuracy**: a school's correction withdraws a bell that has lost its grounds, and everybody who
  was told is told so. Rectification is such a correction.
- **Storage limitation**: 2.4; the ledger keeps its proof when what a record says is erased.
- **Transparency**: each bell says by which rule, on which sessions, on whose authority; the
  transparency record is `docs/atrs.md`.
- **Rights**: `firstbell subject-access` gives all that is held and was shared, other children left
  out. Objection and restriction: ${blank("procedure")}.
- **Processors and transfers**: ${blank("hosting, support; none outside the United Kingdom is needed")}.
  Where e-mail or text is set up: the mail server's operator, or the Government Digital Service for GOV.UK
  Notify. They get a recipient's address, one sentence and a link, and nothing about a child
  (`delivery.md`); *[operator: which, and their agreement]*. An agency's webhook receiver is the agency's.

${"##"} 5. Risks

| | risk to children and families | likelihood | severity | before measures |
|---|---|---|---|---|
| R1 | A child is marked by a false bell | possible | significant | high |
| R2 | Somebody sees what is not for them | possible | severe | high |
| R3 | A child or group is watched more than others without cause | possible | significant | medium |
| R4 | A bell is taken for a decision | possible | significant | medium |
| R5 | A disclosure cannot be accounted for afterwards | remote | significant | medium |
| R6 | Data are kept for longer than is needed | possible | minimal | medium |
| R7 | Data are lost, or the platform is silent when it should ring | possible | severe | high |

${"##"} 6. Measures

| | measure | shown by | after |
|---|---|---|---|
| R1 | Rules with sources and figures; detection measured on years with known truth; withdrawal | `docs/detection.md`; tests of each rule | medium |
| R2 | Policies per field; tenants kept apart by the database's row-level security; secrets encrypted; a scan of every output | `tests/service/test_tenants.py`, `tests/system/test_nothing_leaks.py` | low |
| R3 | No rule uses sex, ethnicity, free meals or address; fairness by group is measured on made-up years | `docs/detection.md` | low |
| R4 | Each bell says what guidance asks of people and what it does not mean; a person closes each alert | `GET /risk/v1/rules` | low |
| R5 | A hash chain with signed checkpoints kept outside the database; the service can only add to it | `tests/unit/test_ledger.py`, `firstbell ledger verify` | low |
| R6 | Erasure by settings, daily | `tests/service/test_retention.py` | low |
| R7 | What is accepted is on disk before it is acknowledged; a school that falls silent rings | `tests/system` | low |

${"##"} 7. Sign-off

| | |
|---|---|
| Measures approved by | ${blank("name, role, date")} |
| Residual risks approved by | ${blank("name, role, date; if a high one is left, the Commissioner is consulted first")} |
| Data protection officer's advice | ${blank("summary, date")} |
| Kept under review by | ${blank("name, role; at each change of rules or policies, which changes this page")} |
