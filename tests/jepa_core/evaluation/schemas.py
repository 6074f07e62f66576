"""As much of JSON Schema as the report's schema uses."""

import re

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
_KNOWN = {
    "$schema", "$defs", "$ref", "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum",
    "const", "title", "description",
}  # fmt: skip


def errors(value, schema, root, place="$"):
    """What of a value does not keep to a schema, as places."""
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        name = re.fullmatch(r"#/\$defs/(\w+)", schema["$ref"])[1]
        return errors(value, root["$defs"][name], root, place)
    if "anyOf" in schema:
        found = [errors(value, one, root, place) for one in schema["anyOf"]]
        return [] if [] in found else found[0]
    if "const" in schema and value != schema["const"]:
        return [place]
    if "enum" in schema and value not in schema["enum"]:
        return [place]
    if "type" in schema and not _is(value, schema["type"]):
        return [place]
    found = []
    if isinstance(value, dict):
        found += [f"{place}.{name}" for name in schema.get("required", ()) if name not in value]
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, more)
            if inner is False:
                found.append(f"{place}.{name}")
            elif inner is not True:
                found += errors(item, inner, root, f"{place}.{name}")
    if isinstance(value, list) and "items" in schema:
        found += [
            error for i, item in enumerate(value) for error in errors(item, schema["items"], root, f"{place}.{i}")
        ]
    return found


def _is(value, name):
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, _TYPES[name])
