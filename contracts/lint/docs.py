"""docs/reference/lint.md, made from the table of rules.

python -m contracts.lint.docs > docs/reference/lint.md
"""

from __future__ import annotations

import sys

from contracts.lint.rules import RULES

HEAD = """\
# Lint

<!-- Made by `python -m contracts.lint.docs > docs/reference/lint.md`; a test compares. -->

`contracts lint` examines each contract by itself, and finds problems that the registry would accept and you would
regret. It needs no server. Its options and exit codes are in [cli.md](cli.md#contracts-lint).

To switch a rule off, give a reason in `contract.yaml`:

```yaml
lint:
  FIELD_DOC: the fields are described in the shop's API documentation
```

An unknown rule name is an error. If a rule is switched off but would find nothing, that is a warning
(`LINT_UNUSED`). A shared type is examined once, with the first contract that uses it.

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
