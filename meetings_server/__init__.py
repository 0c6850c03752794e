"""Everything that speaks HTTP, WebSocket or SMTP, or watches a clock.

`app` assembles the server from `settings`, `database` and `routes`; `identity` says who is there;
`web` holds the pages, a module for each place in the UI; `api` the JSON for programs; `live` the
attendance push; `effects` lists what an event writes in its commit, above all `mail`; `jobs` runs the
`sweeps`; `demo` fills a server with invented life. `errors` turns refusals into answers in the words
of `sentences`, `reading` takes apart what people type. Rules of the domain are not here but in
`rooms` and `minutes`.
"""
