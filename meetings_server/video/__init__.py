"""Reports of video systems: how their requests are signed, what they look like, what is done with them."""
