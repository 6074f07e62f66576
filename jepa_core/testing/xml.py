"""XML written element by element."""

from pathlib import Path
from xml.etree import ElementTree

Element = ElementTree.Element
Child = Element | str | int | float | None


def node(tag: str, *children: Child, **attributes: str) -> Element:
    """An element with its children; text and numbers among them become its text, None is left out.

    Args:
        tag: as it is written, with its prefix.
        children: elements, or one text.
        attributes: by name; `__` stands for the colon of a prefix.
    """
    element = Element(tag, {name.replace("__", ":"): value for name, value in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif child is not None:
            element.text = str(child)
    return element


def xml_bytes(root: Element) -> bytes:
    """A document with its declaration, indented by two blanks a level."""
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data.replace(b"<?xml version='1.0' encoding='UTF-8'?>", b'<?xml version="1.0" encoding="UTF-8"?>') + b"\n"


def write_xml(path: Path, root: Element) -> Path:
    """Writes a document, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(xml_bytes(root))
    return path
