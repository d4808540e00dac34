# Bells: every kind, when it rings, and what it asks

Written by `firstbell docs` from the rules in force; a test fails when this page and those differ. The
same is in `GET /risk/v1/rules`, with each rule's parameters and source. How to change a rule is in
`rules.md`, and what the emerging ones are worth in `detection.md`.

A bell says how soon somebody should look:

% for text in severity_asks:
- ${text}
% endfor

A bell of an *emerging* kind is one story: what other emerging rules find meanwhile joins it, and can
make it graver. All such bells clear in the same way.

| kind | what it tells | rings for | severity | what clears it | what it asks, and does not mean |
|---|---|---|---|---|---|
% for rule in rules:
| `${rule["kind"]}`, version ${rule["version"]}${", emerging" if rule["emerging"] else ""} | ${cell(rule["title"])} | ${cell(rule["finds"])} | ${rule["severities"]} | ${cell(rule["clears"])} | ${cell(rule["asks"])} |
% endfor
