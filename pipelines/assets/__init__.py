"""The assets, a file a group; each calls the library once and says what came out."""
