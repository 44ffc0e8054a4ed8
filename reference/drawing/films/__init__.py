"""Films: what a camera does to the pictures of a clip. One file a kind; `effects` says which domain has which."""
