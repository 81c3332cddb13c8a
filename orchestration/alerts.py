"""Alerts by e-mail and webhook when a task fails or a run is late; both are off until configured.

ALERT_EMAIL_TO and AIRFLOW_CONN_SMTP_DEFAULT turn on the e-mail, ALERT_WEBHOOK_URL the webhook; see
docs/how-to/airflow.md.
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

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.address import is_loopback

if TYPE_CHECKING:
    from airflow.sdk import Context

log = structlog.get_logger()

EMAIL_TO, EMAIL_FROM, WEBHOOK_URL = "ALERT_EMAIL_TO", "ALERT_EMAIL_FROM", "ALERT_WEBHOOK_URL"
# How the reader of an alert calls Airflow's command.
AIRFLOW = os.environ.get("AIRFLOW_COMMAND", "airflow")
WAIT_S = 10.0
SUBJECT = "{{ dag.dag_id }}: {{ ti.task_id }} failed"
# Airflow passes on the exception that a task raised; there is none if its process was killed.
TEXT = f"""\
{SUBJECT}
contract  {{{{ params.contract }}}}
run       {{{{ run_id }}}}, attempt {{{{ ti.try_number }}}}
reason    {{{{ (exception or 'its process was killed, or the machine was out of memory') }}}}
again     {AIRFLOW} dags clear --yes --only-failed --run-id '{{{{ run_id }}}}' {{{{ dag.dag_id }}}}
log       {{{{ ti.log_url }}}}"""


class Webhook(BaseNotifier):
    """A notifier that posts `{"text": …}`, which Slack, Mattermost and Rocket.Chat show as it is.

    Args:
        text: the message; templated.
    """

    template_fields: Sequence[str] = ("text",)

    def __init__(self, text: str = TEXT) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Context) -> None:
        """Post the message.  Raises ConfigurationError without the webhook's address, which is a secret."""
        post(self.text)


def on_failure() -> list[BaseNotifier]:
    """The configured notifiers for a failed task."""
    found: list[BaseNotifier] = []
    if os.environ.get(EMAIL_TO):
        # Escape the values: a reason may quote a foreign server.
        found.append(_email(SUBJECT, f"<pre>{TEXT.replace(' }}', ' | e }}')}</pre>"))
    if os.environ.get(WEBHOOK_URL):
        found.append(Webhook())
    return found


def run_timed_out(context: Mapping[str, Any]) -> None:
    """Alert if a run timed out.  Airflow calls this in the DAG processor for every failed run; a failed task has
    already sent its own alert."""
    if context.get("reason") != "timed_out":
        return
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    subject = f"{dag_id}: the run {run_id} timed out and was ended"
    text = f"{subject}\nagain     {AIRFLOW} dags clear --yes --run-id '{run_id}' {dag_id}"
    if os.environ.get(EMAIL_TO):
        _email(subject, f"<pre>{escape(text)}</pre>").notify({})
    if os.environ.get(WEBHOOK_URL):
        post(text)


async def deadline_missed(dag_id: str, context: Mapping[str, Any] | None = None) -> None:
    """Alert if a run is late.  Airflow calls this in the triggerer at the deadline, even if the run has ended."""
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
    """Post a message to the webhook.

    Raises:
        ConfigurationError: the webhook cannot be reached, or refused the message.
    """
    url = os.environ[WEBHOOK_URL]
    try:
        with requests.Session() as session:
            # Do not use the environment's proxy for this machine.
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")
            answer = session.post(url, json={"text": text}, timeout=WAIT_S)
    except (requests.RequestException, ValueError) as error:  # urlsplit raises ValueError
        words = f"the webhook cannot be reached ({type(error).__name__})"
        raise ConfigurationError(words, where=WEBHOOK_URL, fix="correct or unset this variable") from None
    if not answer.ok:
        words = f"the webhook answered with status {answer.status_code}"
        raise ConfigurationError(words, where=WEBHOOK_URL, fix="correct or unset this variable")


def _email(subject: str, html: str) -> BaseNotifier:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier  # slow: import it only if needed

    to = [one.strip() for one in os.environ[EMAIL_TO].split(",")]
    return SmtpNotifier(to=to, from_email=os.environ.get(EMAIL_FROM) or None, subject=subject, html_content=html)
