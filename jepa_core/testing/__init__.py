"""A simulator of scenes with known truth, for tests: it writes products as ESA and the catalogues distribute them.

Nothing else in `jepa_core` may import it, and it imports no reader: what it writes follows the formats' documents,
so that a reader's mistake is not mirrored here.
"""
