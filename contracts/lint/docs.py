"""docs/reference/lint.md, made from the table of rules.

python -m contracts.lint.docs > docs/reference/lint.md
"""

from __future__ import annotations

import sys

from contracts.lint.rules import RULES

HEAD = """\
# Lint

<!-- Made by `python -m contracts.lint.docs > docs/reference/lint.md`; a test compares. -->

`contracts lint` looks at every contract by itself: what the registry would take, and what hurts later. It needs no
server. `--format text|json|junit|github|markdown`, `--fail-on error|warning|never`; exit 0 fine, 1 findings, 2 usage
or a contract that cannot be read.

A contract switches a rule off with a reason, in its contract.yaml:

```yaml
lint:
  FIELD_DOC: the fields are described in the shop's API documentation
```

A name that is no rule is an error; a rule that is switched off and would find nothing is itself a warning
(`LINT_UNUSED`). A shared type is looked at once, with the first contract that uses it.

"""


def page() -> str:
    """The whole page."""
    lines = [HEAD, "| rule | severity | purpose |\n|---|---|---|\n"]
    lines += [f"| [`{rule.id}`](#{rule.id.lower()}) | {rule.severity} | {rule.purpose} |\n" for rule in RULES]
    for rule in RULES:
        language = "yaml" if rule.bad.kind == "contract" else "json"
        lines.append(f"\n## {rule.id}\n\n{rule.purpose}\n\n")
        lines.append(f"Fix: {rule.fix}.\n\n")
        for word, example in (("Bad", rule.bad), ("Good", rule.good)):
            many = f" ({example.times:,} such fields)" if example.times > 1 else ""
            lines.append(f"{word}{many}:\n\n```{language}\n{example.text}\n```\n\n"[: None if word == "Bad" else -1])
    return "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
