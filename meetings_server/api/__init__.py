"""JSON for programs, under `/api/v1`, opened by a bearer token only.

Each module lists its `HANDLERS` with paths relative to `/api/v1`; `routes` puts them into one router.
Bodies and answers are msgspec structs that forbid unknown fields, so that the OpenAPI document says
exactly what is accepted. Which scope of a token a call needs stands in `scopes`. Errors are problem details (`errors`). Lists answer `paging.Page`; a POST
that creates goes through `idempotency.once`, in the transaction that creates.
"""
