"""The shape of every error."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.problems import MEDIA_TYPE


class ProblemFault(BaseModel):
    path: str = Field(description="Where in the body or query, dotted: `price.tiers.0.up_to`.")
    message: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:weir:problem:invalid",
                    "title": "Not valid",
                    "status": 422,
                    "detail": "price.maximum: must not be below the minimum",
                    "errors": [
                        {"path": "price.maximum", "message": "must not be below the minimum"}
                    ],
                }
            ]
        }
    )

    type: str = Field(description="A URI that names the kind of the problem.")
    title: str
    status: int
    detail: str
    errors: list[ProblemFault] | None = Field(
        default=None, description="Every fault of a document that is not valid, with its path."
    )
    available: str | None = Field(
        default=None,
        description="What there is, where more was asked for: of credit, or of a limit.",
    )


def problem(description: str) -> dict[str, Any]:
    """An error response of the OpenAPI document."""
    reference = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": reference}},
    }


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: problem("No API key, or one that opens nothing."),
    403: problem("The API key does not carry the scope."),
    404: problem("It does not exist in this environment."),
    409: problem("It clashes with what is there: a key that is taken, a change that is refused."),
    413: problem("The body is too large."),
    422: problem("The request is not valid; `errors` says where and why."),
    500: problem("Our fault."),
    503: problem("The database or Temporal does not answer: try again."),
}
