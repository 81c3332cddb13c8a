"""The console in its container: who may come in, with which password, and whether it sees the servers."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import requests

from avro_data_contracts.console.accounts import Role
from avro_data_contracts.stack.errors import ServerError

TIMEOUT_S: Final = 30
#: From its start until it has asked all servers.
SEES_WITHIN_S: Final = 120.0


def faults(
    url: str, passwords: Mapping[str, str], contracts: Collection[str], sees_within_s: float = SEES_WITHIN_S
) -> list[str]:
    """What a visitor finds that is not as docs/how-to/console.md says.

    Args:
        url: of the console, as this machine reaches it.
        passwords: account -> its password.
        contracts: names that the list has to have.
    """
    told = [*_outside(url, passwords)]
    for name, password in passwords.items():
        with _session() as visitor:
            if (code := _signs_in(visitor, url, name, password)) != 303:
                told.append(f"{name} cannot sign in: {code}")
                continue
            page = visitor.get(f"{url}/index.html", timeout=TIMEOUT_S).text
            told += [f"the list has no {one}" for one in contracts if f'data-name="{one}"' not in page]
            told += [f"a page has the password of {one}" for one, word in passwords.items() if word in page]
            told += _blind(visitor, url, sees_within_s)
    return told


def _outside(url: str, passwords: Mapping[str, str]) -> list[str]:
    """What is wrong for somebody who has not signed in."""
    told = []
    with _session() as visitor:
        page = visitor.get(f"{url}/login", timeout=TIMEOUT_S)
        if page.status_code != 200 or "frame-ancestors 'none'" not in page.headers.get("Content-Security-Policy", ""):
            told.append(f"its login page answers {page.status_code}, or has no policy")
        for path in ("/index.html", "/live.json"):
            found = visitor.get(f"{url}{path}", timeout=TIMEOUT_S, allow_redirects=False).status_code
            if found not in (303, 401):
                told.append(f"{path} answers {found} to somebody who has not signed in")
        found = visitor.get(f"{url}/login", headers={"Host": "elsewhere.example"}, timeout=TIMEOUT_S).status_code
        if found != 421:
            told.append(f"it answers {found} to another host name")
        name, other = next(iter(passwords)), "not the password"
        if (found := _signs_in(visitor, url, name, other)) != 403:
            told.append(f"it answers {found} to a wrong password")
    return told


def _signs_in(visitor: requests.Session, url: str, name: str, password: str) -> int:
    form, origin = {"name": name, "password": password}, {"Origin": url}
    done = visitor.post(f"{url}/login", form, headers=origin, timeout=TIMEOUT_S, allow_redirects=False)
    return done.status_code


def _blind(visitor: requests.Session, url: str, seconds: float) -> list[str]:
    """The servers that it does not reach."""
    deadline = time.monotonic() + seconds
    while True:
        found = visitor.get(f"{url}/live.json", timeout=TIMEOUT_S).json()
        if found["state"] == "ok":
            return []
        if time.monotonic() > deadline:
            silent = ", ".join(f"{one['name']}: {one['why']}" for one in found["servers"] if one["why"])
            return [f"it does not see the servers ({found['state']}): {silent or found.get('why', '')}"]
        time.sleep(1)


def _session() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    return made


def console(scenario: Any, contracts: Collection[str]) -> None:
    """Start it beside what runs, and visit it."""
    project = scenario.project
    with scenario.step("the console") as step:
        project.up(["console"], profiles=["console"])
        project.settle(SEES_WITHIN_S)
        secrets = project.secrets
        passwords = {role.value: secrets[f"DEPLOY_CONSOLE_{role.value.upper()}_PASSWORD"] for role in Role}
        if problems := faults(f"http://127.0.0.1:{project.ports['PORT_CONSOLE']}", passwords, contracts):
            raise ServerError("\n".join(problems), where="the console", fix="see the log of the console")
        step.found = "healthy; both accounts sign in, and it sees all servers"
