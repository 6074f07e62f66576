"""Metadata in XML, read without trust: no entity is expanded, and what is missing is named."""

import math
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from jepa_core.archive.scene import ArchiveError


def parse_xml(data: bytes, name: str) -> Element:
    """The root element.

    Args:
        data: the file's bytes.
        name: of the file, for messages.

    Raises:
        ArchiveError: not well-formed, or it defines entities.
    """
    try:
        root: Element = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise ArchiveError(f"{name} is not readable XML: {error or type(error).__name__}") from error
    return root


def text_of(element: Element, path: str, name: str) -> str:
    """Text of the first element at a path, without the blanks around it.

    Args:
        element: where the path starts.
        path: as `Element.find` takes it; `{*}tag` fits a tag of any namespace.
        name: of the file, for messages.

    Raises:
        ArchiveError: there is no such element, or it is empty.
    """
    text = (element.findtext(path) or "").strip()
    if not text:
        raise ArchiveError(f"{name} has no {path.replace('{*}', '')}")
    return text


def number_of(element: Element, path: str, name: str) -> float:
    """Finite number in the first element at a path; see `text_of`.

    Raises:
        ArchiveError: there is no such element, or it holds no finite number.
    """
    text = text_of(element, path, name)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArchiveError(f"{name}: {path.replace('{*}', '')} is {text[:40]!r}, not a number")
    return number
