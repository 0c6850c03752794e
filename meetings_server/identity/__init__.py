"""Who is there: passwords, server-side sessions, API tokens, and the middleware that reads them."""
