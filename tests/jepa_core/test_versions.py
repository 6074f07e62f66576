"""A change of a model's sizes or recipe must come with a new code version, or old models would pass for new ones."""

from dataclasses import asdict

from jepa_core import versions
from jepa_core.fingerprint import fingerprint
from jepa_core.variants import registry

# By variant: code version and what it stood for when it was set.
PINNED = {
    "ijepa": ("4", "ddfe1a33a153"),
    "mae": ("4", "c552d3808ba8"),
    "rejepa": ("4", "a89a84b93ff2"),
    "xjepa": ("4", "7b4903907d74"),
    "crjepa": ("6", "e75f3771bcb6"),
    "lejepa": ("4", "d7714b77d3e5"),
}


def test_sizes_and_recipes_are_those_of_the_code_version():
    for name, method in registry.METHODS.items():
        stands_for = fingerprint(
            {
                "sizes": {size: registry.config_to_json(config) for size, config in method.sizes.items()},
                "recipes": {size: asdict(recipe) for size, recipe in method.recipes.items()},
            }
        )
        assert (versions.MODEL[name], stands_for[:12]) == PINNED[name], f"raise versions.MODEL[{name!r}]"
