"""Short jobs over due rows; each may run late, twice, or at the same time as itself."""
