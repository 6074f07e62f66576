"""A drill: an archive that changes at random under a pipeline that is killed at random; then both are held together."""
