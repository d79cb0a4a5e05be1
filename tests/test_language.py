"""The language of code and documentation: a word list that keeps expressions of the old dialect out."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("geoseg", "cli", "configs", "docs", "sample_data", "benchmarks")
FILES = sorted(
    path
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    + [file for folder in FOLDERS for file in (ROOT / folder).rglob("*")]
    if path.suffix in {".py", ".md", ".yaml", ".j2"}
)

BANNED = {
    r"(?<!there )\bis no (?!longer|more)[a-z]": "write: is not a ..., or: invalid ...",
    r"(?<!there )\bare no (?!longer|more)[a-z]": "write: are not ...",
    r"\bwho(m)?ever\b": "name the subject",
    r"\bwhatever (?:was|it|may)\b": "write: any ...",
    r"\bthose (?:that|who|which)\b": "repeat the noun",
    r"\bthereof\b|\bthereby\b|\bhereof\b|\bwherein\b": "old-fashioned",
    r"\bwish(?:es|ed)?\b": "write: option, request, want",
    r"\banew\b": "write: again, new",
    r"\bas ever\b": "write: as usual",
    r"\bbehind (?:its|the|a|those|what)\b": "write: after ...",
    r"\bgoes on\b|\bgo on\b|\bgoing on\b": "write: continue, resume",
    r"\bso (?:many|much) (?!that|as)[a-z]": "name the quantity",
    r"\bif nobody\b|\bnobody says\b|\bunless told\b": "write: by default",
    r"\b(?:is|are|was|were) told\b|\btells? (?:of|what|which|how|whether|it)\b": "write: report, describe, determine",
    r"\bhears?\b|\bbelieves?\b|\bthinks?\b": "code does not hear, believe or think",
    r"\bwhat is there\b|\bas it stands\b|\bcome(?:s)? to nothing\b": "riddle",
    r"\bthe zoo\b|\bzoo's\b|\bzoo(?!m|logic|keeper)\w+": "write: OpenMMLab, mmsegmentation",
    r"\bof its own\b|\bof their own\b": "write: its own ..., separate",
    r"\bspecks?\b|\bslivers of truth\b": "write: small polygons",
    r"\bput right\b": "write: fix",
    r"\bto the last bit\b|\bbit by bit\b": "write: bit-identical",
    r": As (?:for|in) [:`]": "write: See ...",
    r"\bof equal (?:class|ones|size)\b": "write: of the same ..., ties, duplicates",
    r"\bper (?:pixel|band) and (?:class|output band)\b": "write: per pixel per class",
    r"\bpixels of nodata\b": "write: nodata pixels",
    r"\bshifted against\b": "write: offset from",
    r"\bfast in it\b": "write: with fast ... support",
    r"\bwriter of the caller\b": "write: caller-supplied writer",
}
"""Pattern and advice. Personification, riddles and old-fashioned words; see the principles in docs/architecture.md."""


def prose(path: Path) -> list[tuple[int, str]]:
    """Lines of prose: comments and strings of Python files, text outside code blocks of other files."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
        return list(enumerate((re.sub(r"`[^`]*`", "", line) for line in text.splitlines()), 1))
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (token.start[0] + offset, re.sub(r"``[^`]*``", "", line))
        for token in tokens
        if token.type in kinds
        for offset, line in enumerate(token.string.splitlines())
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_written_in_plain_technical_english(path):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]!r} ({advice})"
        for number, line in prose(path)
        for pattern, advice in BANNED.items()
        for match in [re.search(pattern, line, re.IGNORECASE)]
        if match
    ]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    "sentence",
    ["'x' is no name", "Whoever reads goes on", "so many metres", "the zoo's recipes", "equal to the last bit"],
)
def test_the_word_list_finds_the_dialect(sentence):
    assert any(re.search(pattern, sentence, re.IGNORECASE) for pattern in BANNED)
