"""Pages for people, one module for each place in the UI.

A handler is a plain function in a worker thread. It opens one transaction (or one reader), asks the
domain, and renders inside it; `pages.render` adds what the shell shows.
"""
