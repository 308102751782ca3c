"""Reads the exports of a folder with parsers written by others, and compares what comes back."""

import re
import sys
from html import unescape
from pathlib import Path

import pysubs2
import srt
import webvtt
from markdown_it import MarkdownIt

UNIT, RECORD = "\x1f", "\x1e"
# SubRip has no escapes: these are written as their likes.
LIKES = str.maketrans("<>{}\\", "‹›()∖")
# pysubs2 reads no more than two digits of hours.
HUNDRED_HOURS_MS = 100 * 3_600_000

faults = []


def wanted(path):
    """What the file must hold: start, end, speaker, lines of every caption."""
    rows = path.read_text(encoding="utf-8").split("\n")[:-1]
    for row in rows:
        start, end, speaker, lines = row.split(UNIT)
        yield int(start), int(end), speaker, lines.split(RECORD)


def compare(file, parser, read, should):
    """Notes every difference."""
    if len(read) != len(should):
        faults.append(f"{file} by {parser}: {len(read)} captions, not {len(should)}")
    for number, (one, other) in enumerate(zip(read, should), 1):
        if one != other:
            faults.append(f"{file} by {parser}: caption {number}: {one}, not {other}")


def likes(line):
    """A line as SubRip can hold it: times that a parser would take for its own are broken."""
    line = line.translate(LIKES)
    between_digits = r"(?<=[0-9]):(?=[0-9])"
    return re.sub(between_digits, "∶", line) if len(re.findall(between_digits, line)) >= 4 else line


def ms(delta):
    """A duration in whole milliseconds."""
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def check_srt(path):
    """Reads with both parsers of SubRip."""
    text = path.read_text(encoding="utf-8")
    captions = list(wanted(path.with_suffix(".named")))
    should = [(start, end, [likes(line) for line in lines]) for start, end, _, lines in captions]
    read = list(srt.parse(text, ignore_errors=False))
    numbers = [caption.index for caption in read]
    if numbers != list(range(1, len(read) + 1)):
        faults.append(f"{path.name}: numbered {numbers}")
    compare(
        path.name,
        "srt",
        [(ms(c.start), ms(c.end), c.content.split("\n")) for c in read],
        should,
    )
    read = pysubs2.SSAFile.from_string(text, format_="srt") if text else []
    compare(
        path.name,
        "pysubs2",
        [(c.start, c.end, c.plaintext.split("\n")) for c in read],
        [(start % HUNDRED_HOURS_MS, end % HUNDRED_HOURS_MS, lines) for start, end, lines in should],
    )
    return len(should)


def check_vtt(path):
    """Reads with a parser of WebVTT, which leaves character references as they are."""
    should = list(wanted(path.with_suffix(".tagged")))
    read = webvtt.from_string(path.read_text(encoding="utf-8")) if should else []
    compare(
        path.name,
        "webvtt-py",
        [
            (
                ms_of(caption.start),
                ms_of(caption.end),
                unescape((caption.voice or "").strip()),
                [unescape(line) for line in caption.text.split("\n")],
            )
            for caption in read
        ],
        should,
    )
    return len(should)


def ms_of(stamp):
    """Milliseconds of hh:mm:ss.mmm."""
    hours, minutes, seconds = stamp.split(":")
    seconds, thousandths = seconds.split(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000 + int(thousandths)


def bare(text):
    """A text without what keeps words apart."""
    return "".join(c for c in text if not c.isspace() and (ord(c) > 0x1F and not 0x7F <= ord(c) < 0xA0))


def check_words(path):
    """Every word is there, in order."""
    words = bare(path.read_text(encoding="utf-8"))
    captions = wanted(path.with_suffix(".tagged"))
    text = bare("".join("".join(lines) for *_, lines in captions))
    if words != text:
        faults.append(f"{path.stem}: {text!r} is shown, {words!r} was said")
    last = 0
    for number, (start, end, *_) in enumerate(wanted(path.with_suffix(".tagged")), 1):
        if not last <= start < end:
            faults.append(f"{path.stem}: caption {number} is from {start} to {end} after {last}")
        last = end


def check_md(path):
    """Markdown renders to our markup alone, and every word can be read."""
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    html = renderer.render(path.read_text(encoding="utf-8"))
    tags = set(re.findall(r"<[^>]*>", html))
    ours = {f"<{end}{tag}>" for tag in ["h1", "ul", "li", "p", "strong"] for end in ["", "/"]}
    if tags - ours:
        faults.append(f"{path.name}: {sorted(tags - ours)}")
    if html.count("<h1>") != 1:
        faults.append(f"{path.name}: {html.count('<h1>')} titles")
    paragraphs = re.findall(r"<p><strong>.*?</strong>(.*?)</p>", html)
    said = bare(unescape("".join(paragraphs)))
    words = bare(path.with_suffix(".words").read_text(encoding="utf-8"))
    if said != words:
        faults.append(f"{path.name}: {said!r} is shown, {words!r} was said")


def check_tsv(path):
    """Four cells a row, and none that a spreadsheet would compute."""
    rows = path.read_text(encoding="utf-8").split("\n")
    if rows[0] != "start_ms\tend_ms\tspeaker\ttext" or rows[-1] != "":
        faults.append(f"{path.name}: {rows[0]!r}, {rows[-1]!r}")
    said = []
    for row in rows[1:-1]:
        cells = row.split("\t")
        if len(cells) != 4 or any(cell[:1] and cell[0] in "=+-@\"" for cell in cells):
            faults.append(f"{path.name}: {cells}")
        said.append(re.sub("^'", "", cells[-1]))
    words = bare(path.with_suffix(".words").read_text(encoding="utf-8"))
    if bare("".join(said)) != words:
        faults.append(f"{path.name}: {said} is written, {words!r} was said")


def main():
    """Checks a folder."""
    folder = Path(sys.argv[1])
    files = sorted(folder.glob("*.words"))
    captions = 0
    for path in files:
        check_words(path)
        captions += check_srt(path.with_suffix(".srt"))
        captions += check_vtt(path.with_suffix(".vtt"))
        check_md(path.with_suffix(".md"))
        check_tsv(path.with_suffix(".tsv"))
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"srt, pysubs2, webvtt-py, markdown-it-py: {len(files)} transcripts, "
          f"{captions} captions, {len(faults)} faults")
    sys.exit(1 if faults or not files else 0)


main()
