"""What a refusal says to people. Commands say it too, without loading what serves pages."""

from datetime import date, datetime
from typing import Any

from meetings_server.i18n import _, daytime, short_day
from meetings_server.sentences import FIELD_PROBLEMS, SENTENCES
from rooms.kernel import DomainError, FieldInvalid


def sentence(error: DomainError) -> str:
    """The refusal in the language of the request."""
    shown = {name: _shown(value) for name, value in error.facts().items()}
    if isinstance(error, FieldInvalid):
        return _(FIELD_PROBLEMS.get(error.problem, error.problem)).format(**shown)
    return _(SENTENCES[error.code]).format(**shown)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return daytime(value)
    if isinstance(value, date):
        return short_day(value)
    if isinstance(value, list | tuple):
        return "; ".join(_shown(part) for part in value[:10])
    return str(value)
