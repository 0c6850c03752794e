"""The attendance push: what a point reports is on every board as soon as it is committed.

`writer` commits check-ins in groups; `hints` tell the hub of each process that a meeting's log has
grown; `hub` tails the log into a `picture` per meeting and writes one of its `frames` per scope to
all who watch; `socket`, `protocol` and `lines` are the lines, `roster` what does not move. `running` starts
and stops it all with the server.
"""
