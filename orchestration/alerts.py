"""Who is told when a task fails, or a run is late: an e-mail and a webhook, both off until they are configured.

ALERT_EMAIL_TO with AIRFLOW_CONN_SMTP_DEFAULT is for the first, ALERT_WEBHOOK_URL for the second (docs/airflow.md).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import structlog
from airflow.sdk import BaseNotifier

from contracts.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context

log = structlog.get_logger()

EMAIL_TO, EMAIL_FROM, WEBHOOK_URL = "ALERT_EMAIL_TO", "ALERT_EMAIL_FROM", "ALERT_WEBHOOK_URL"
WAIT_S = 10.0
# Airflow tells of what a task raised, but not of a process that was killed.
_WHAT = "{{ exception or 'its process ended without a word: it was killed, or the machine was out of memory' }}"
SUBJECT = "{{ dag.dag_id }}: {{ ti.task_id }} failed"
TEXT = f"""\
{SUBJECT}
contract  {{{{ params.contract }}}}
run       {{{{ run_id }}}}, attempt {{{{ ti.try_number }}}}
reason    {_WHAT}
again     airflow tasks clear --yes --task-regex '^{{{{ ti.task_id }}}}$' --downstream \
{{{{ dag.dag_id }}}}{{{{ ' --start-date %s --end-date %s' % (ts, ts) if ts is defined else '' }}}}
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
        found.append(_email(SUBJECT, f"<pre>{TEXT}</pre>"))
    if os.environ.get(WEBHOOK_URL):
        found.append(Webhook())
    return found


async def deadline_missed(dag_id: str, context: Any = None, **_: Any) -> None:
    """What a run that takes too long calls, in the triggerer."""
    run = (context or {}).get("dag_run") or {}
    subject = f"{dag_id}: the run {run.get('dag_run_id', '')} is late".replace("  ", " ")
    text = f"{subject}\nsee       airflow tasks states-for-dag-run {dag_id} {run.get('dag_run_id', 'RUN')}"
    log.warning("deadline missed", dag=dag_id, run=run.get("dag_run_id", ""))
    if os.environ.get(EMAIL_TO):
        await _email(subject, f"<pre>{escape(text)}</pre>").async_notify({})
    if os.environ.get(WEBHOOK_URL):
        from asyncio import to_thread

        await to_thread(post, text)


def post(text: str) -> None:
    """One message to the webhook."""
    import requests

    try:
        answer = requests.post(os.environ[WEBHOOK_URL], json={"text": text}, timeout=WAIT_S)
    except requests.RequestException as error:
        words = f"cannot be reached ({type(error).__name__})"
        raise ConfigurationError(words, where=WEBHOOK_URL, mend="correct it, or unset it") from None
    if not answer.ok:
        raise ConfigurationError(f"answered {answer.status_code}", where=WEBHOOK_URL, mend="correct it, or unset it")


def _email(subject: str, html: str) -> BaseNotifier:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    to = [one.strip() for one in os.environ[EMAIL_TO].split(",")]
    return SmtpNotifier(to=to, from_email=os.environ.get(EMAIL_FROM) or None, subject=subject, html_content=html)
