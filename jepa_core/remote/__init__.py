"""A data root in object storage, and this machine's copy of it, which all other code works on."""
