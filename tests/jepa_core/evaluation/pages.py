"""Pages as tests look at them: parsed by the standard library."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "img", "br", "link"}


@dataclass
class Cell:
    tag: str
    attributes: dict
    text: str = ""


@dataclass
class Table:
    caption: str = ""
    rows: list = field(default_factory=list)

    def line(self, *starts):
        """The cells of the first row whose first cells read so."""
        return next(row for row in self.rows if [cell.text for cell in row[: len(starts)]] == list(starts))


class Page(HTMLParser):
    """Tables with their cells, the text, and what is loaded."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.open, self.loaded, self.tags, self.text = [], [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.loaded += [attributes[name] for name in ("src", "href", "srcset", "data") if name in attributes]
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("td", "th"):
            self.tables[-1].rows[-1].append(Cell(tag, attributes))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "caption" in self.open:
            self.tables[-1].caption += data
        elif {"td", "th"} & set(self.open):
            self.tables[-1].rows[-1][-1].text += data

    def table(self, part):
        """The first table whose caption holds a text."""
        return next(table for table in self.tables if part in table.caption)


def make_sure_well_made(page):
    """Nothing from elsewhere, no scripts, tables that can be heard."""
    assert all(address.startswith("data:image/png;base64,") for address in page.loaded)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    for table in page.tables:
        assert table.caption.strip()
        assert all(cell.tag == "th" and cell.attributes["scope"] == "col" for cell in table.rows[0])
        assert all(row[0].tag == "th" and row[0].attributes["scope"] == "row" for row in table.rows[1:])
        assert len({len(row) for row in table.rows}) == 1, table.caption
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
