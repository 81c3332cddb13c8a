"""Who is told when a task fails, or a run is late: an e-mail and a webhook, both off until they are configured.

ALERT_EMAIL_TO with AIRFLOW_CONN_SMTP_DEFAULT sets the first, ALERT_WEBHOOK_URL the second (docs/how-to/airflow.md).
"""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import structlog
from airflow.sdk import BaseNotifier

from contracts.errors import ConfigurationError
from contracts.registry.address import is_loopback

if TYPE_CHECKING:
    from airflow.sdk import Context

log = structlog.get_logger()

EMAIL_TO, EMAIL_FROM, WEBHOOK_URL = "ALERT_EMAIL_TO", "ALERT_EMAIL_FROM", "ALERT_WEBHOOK_URL"
# How the reader of a message calls Airflow's command.
AIRFLOW = os.environ.get("AIRFLOW_COMMAND", "airflow")
WAIT_S = 10.0
SUBJECT = "{{ dag.dag_id }}: {{ ti.task_id }} failed"
# Airflow tells of what a task raised, but not of a process that was killed.
TEXT = f"""\
{SUBJECT}
contract  {{{{ params.contract }}}}
run       {{{{ run_id }}}}, attempt {{{{ ti.try_number }}}}
reason    {{{{ (exception or 'its process was killed, or the machine was out of memory') }}}}
again     {AIRFLOW} dags clear --yes --only-failed --run-id '{{{{ run_id }}}}' {{{{ dag.dag_id }}}}
log       {{{{ ti.log_url }}}}"""


class Webhook(BaseNotifier):
    """Posts `{"text": …}`, which Slack, Mattermost and Rocket.Chat show as it is.

    Args:
        text: templated.
    """

    template_fields: Sequence[str] = ("text",)

    def __init__(self, text: str = TEXT) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Context) -> None:
        """Raises ConfigurationError when it was not taken; the address, which is a secret, stays out of it."""
        post(self.text)


def on_failure() -> list[BaseNotifier]:
    """What a failed task calls, as the environment configures it."""
    found: list[BaseNotifier] = []
    if os.environ.get(EMAIL_TO):
        # A reason may hold words of a foreign server.
        found.append(_email(SUBJECT, f"<pre>{TEXT.replace(' }}', ' | e }}')}</pre>"))
    if os.environ.get(WEBHOOK_URL):
        found.append(Webhook())
    return found


def run_timed_out(context: Mapping[str, Any]) -> None:
    """What a failed run calls, in the DAG processor.  Of a task that failed it was told already; one that ran out of
    time has none that did."""
    if context.get("reason") != "timed_out":
        return
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    subject = f"{dag_id}: the run {run_id} was ended, its time was up"
    text = f"{subject}\nagain     {AIRFLOW} dags clear --yes --run-id '{run_id}' {dag_id}"
    if os.environ.get(EMAIL_TO):
        _email(subject, f"<pre>{escape(text)}</pre>").notify({})
    if os.environ.get(WEBHOOK_URL):
        post(text)


async def deadline_missed(dag_id: str, context: Mapping[str, Any] | None = None) -> None:
    """What a run that takes too long calls, in the triggerer.  A run that has failed has its deadline still."""
    run = (context or {}).get("dag_run") or {}
    run_id, state = run.get("dag_run_id", ""), run.get("state", "")
    if state in ("success", "failed"):
        return
    subject = f"{dag_id}: the run {run_id} is late"
    text = f"{subject}\nsee       {AIRFLOW} tasks states-for-dag-run {dag_id} '{run_id}'"
    log.warning("deadline missed", dag=dag_id, run=run_id)
    if os.environ.get(EMAIL_TO):
        await _email(subject, f"<pre>{escape(text)}</pre>").async_notify({})
    if os.environ.get(WEBHOOK_URL):
        await to_thread(post, text)


def post(text: str) -> None:
    """One message to the webhook."""
    url = os.environ[WEBHOOK_URL]
    try:
        with requests.Session() as session:
            # A proxy of the environment is for other machines.
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")
            answer = session.post(url, json={"text": text}, timeout=WAIT_S)
    except (requests.RequestException, ValueError) as error:  # urlsplit's own is a ValueError
        words = f"cannot be reached ({type(error).__name__})"
        raise ConfigurationError(words, where=WEBHOOK_URL, fix="correct it, or unset it") from None
    if not answer.ok:
        raise ConfigurationError(f"answered {answer.status_code}", where=WEBHOOK_URL, fix="correct it, or unset it")


def _email(subject: str, html: str) -> BaseNotifier:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier  # only where there is somebody to write to

    to = [one.strip() for one in os.environ[EMAIL_TO].split(",")]
    return SmtpNotifier(to=to, from_email=os.environ.get(EMAIL_FROM) or None, subject=subject, html_content=html)
