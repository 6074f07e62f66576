import re

from tests.conftest import REPO


def test_every_relative_link_leads_somewhere_and_no_placeholder_is_left():
    for page in [REPO / "README.md", *REPO.glob("docs/*.md")]:
        text = page.read_text()
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
        assert not re.search(r"^[A-Z]{5,}$|TODO|FIXME", text, re.MULTILINE), page.name


def test_commands_of_the_readme_name_what_is_there():
    readme, makefile = (REPO / "README.md").read_text(), (REPO / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z]+)", readme, re.MULTILINE):
        assert f"\n{target}:" in makefile
    (query,) = set(re.findall(r"--patch (\S+) --to s2", readme)) - {"ID"}
    assert f"DEMO_QUERY := {query}\n" in makefile
