"""Everything that speaks HTTP, WebSocket or SMTP, or watches a clock.

`app` assembles the server from `settings` and `database`; `identity` says who is there; `web` holds
the pages, a module for each place in the UI; `api` the JSON for programs; `live` the attendance
push; `mail` what leaves by SMTP; `jobs` the sweeps. Rules of the domain are not here but in `rooms`
and `minutes`.
"""
