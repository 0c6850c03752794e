"""Mail, written in the commit of what it tells of and sent after it.

`invitations` and `directives` say who is told of which event, `outbox` keeps a message with a line
per recipient; `claims` hands lines to `transport`, which sends what `composition` makes of `letters`;
`ledger` is how people look at it.
"""
