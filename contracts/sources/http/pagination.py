"""`source.pagination`: how an HTTP API hands out its records in pages."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from avro_data_contracts.contracts.sources.expressions import ExpressionText

ParamName = Annotated[str, StringConstraints(min_length=1)]
PageSize = Annotated[int, Field(ge=1, le=100_000)]


class PaginationSpec(BaseModel):
    """What all types have.  `more`: an expression on the answer that says whether another page follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    more: ExpressionText | None = None


class PageSpec(PaginationSpec):
    """Numbered pages.  `param`: of the number.  `size_param`, `size`: how many records a page is to have.

    `uneven`: whether pages in between may have fewer records than others.
    """

    param: ParamName = "page"
    start: int = Field(1, ge=0)
    size_param: ParamName | None = None
    size: PageSize = 100
    uneven: bool = False


class OffsetSpec(PaginationSpec):
    """Numbered records.  `param`: of the number of records to skip.  `size_param`, `size`: as for pages."""

    param: ParamName = "offset"
    start: int = Field(0, ge=0)
    size_param: ParamName | None = "limit"
    size: PageSize = 100


class CursorSpec(PaginationSpec):
    """Each answer says where the next begins.  `next`: an expression on the answer; `param`: where it is sent."""

    param: ParamName = "cursor"
    next: ExpressionText
    size_param: ParamName | None = None
    size: PageSize = 100


class LinkSpec(PaginationSpec):
    """Each answer has the URL of the next: in its Link header, or where `next` says."""

    next: ExpressionText | None = None
    size_param: ParamName | None = None
    size: PageSize = 100


#: `pagination.type` -> its model.
TYPES: Final[dict[str, type[PaginationSpec]]] = {
    "page": PageSpec,
    "offset": OffsetSpec,
    "cursor": CursorSpec,
    "link": LinkSpec,
}


class _Unknown(PaginationSpec):
    """Refuses a type that there is not, or none."""

    model_config = ConfigDict(extra="ignore")

    @field_validator("type")
    @classmethod
    def _refuse(cls, value: str) -> str:
        raise ValueError(f"{value!r} is not a way to page; valid names here: {', '.join(TYPES)}")


def model_of(pagination: Any) -> type[PaginationSpec]:
    """The model that validates a `pagination` as written: that of its `type`."""
    kind = pagination.get("type") if isinstance(pagination, dict) else None
    return TYPES.get(kind, _Unknown) if isinstance(kind, str) else _Unknown
