"""The report of a small realistic run: real digits, made-up predictions, read back as HTML."""

import base64
import io
import json
import re
import warnings
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix

from common.data.dataset import Dataset
from common.data.parquet import write_dataset
from common.data.read import read_dataset
from common.data.truth import write_truth
from common.errors import InputError
from fedlpa.report import samples
from fedlpa.report.build import build_report
from fedlpa.report.embedding_map import place
from fedlpa.report.line_chart import phases
from fedlpa.report.run_reading import read_run

VOID = {"meta", "img", "br", "link", "input", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Descendants with this tag whose attributes contain the given words."""
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, Element):
                fits = all(value in child.attributes.get(key, "").split() for key, value in attributes.items())
                if fits and tag in (child.tag, "*"):
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str, **attributes: str) -> "Element":
        (found,) = self.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join("".join(parts).split())


class Parser(HTMLParser):
    """A tree of the page; fails on tags that are closed in the wrong order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(report: Path) -> Element:
    parser = Parser()
    parser.feed(report.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == [parser.root], "a tag was not closed"
    return parser.root


def section(page: Element, name: str) -> Element:
    return page.one("section", id=name)


def record(index: int, **changes: Any) -> dict[str, Any]:
    scores = {"all": 0.9 + index / 1000, "old": 0.95, "new": 0.85}
    return {
        "round": index,
        "rounds": 4,
        "phase": "warm-up" if index < 3 else "refinement",
        "loss": {"total": 2.0 / index, "contrastive": 1.5 / index},
        "scores": {"global": scores, "local": scores, "seen_accuracy": 0.97},
        "categories": {"found": 10, "true": 10},
        "concepts": {"site-0": 8, "site-1": 11},
        "clients": {"asked": 3, "answered": 3, "sat_out": [], "failed": [], "refused": []},
        "bytes": {"up": 300_000, "down": 150_000},
        "seconds": {"round": 2.0, "client_compute": 5.0, "discovery": 1.0, "server": 0.1},
        "health": {"silhouette": 0.2},
        **changes,
    }


def write_run(
    run: Path,
    samples_of: int = 60,
    kind: str = "images",
    names: dict[int, str] | None = None,
    config: dict[str, Any] | None = None,
    rounds: list[dict[str, Any]] | None = None,
    metrics: dict[str, Any] | None = None,
    sites: bool = True,
) -> Path:
    """A run of three sites; digits 0 to 4 are seen and half labelled, 5 to 9 are found as novel-1 to novel-5."""
    random = np.random.default_rng(0)
    digits = load_digits()
    x, y = digits.data[:samples_of], digits.target[:samples_of]
    class_names = {digit: str(digit) for digit in range(10)} | (names or {})
    category_names = {digit: class_names[digit] if digit < 5 else f"novel-{digit - 4}" for digit in range(10)}
    run.mkdir(parents=True)
    settings = {"method": "fedlpa", "data": "digits", "clients": 3, "alpha": 0.2, "backbone": None}
    (run / "config.json").write_text(json.dumps(settings | (config or {})))
    records = [record(index) for index in range(1, 5)] if rounds is None else rounds
    (run / "rounds.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in records))
    final = {"all": 0.931, "old": 0.981, "new": 0.905}
    written = {
        "final": {
            "global": final,
            "local": final,
            "seen_accuracy": 0.968,
            "categories": {"found": 10, "true": 10},
        },
        "wire": {
            "up_bytes_per_client_round": 37_500,
            "down_bytes_per_client_round": 1,
            "full_model_bytes": 2_000_000,
        },
        "seconds": {"total": 161.0, "client_compute": 300.0, "discovery": 20.0, "server": 2.0},
    }
    if metrics != {}:
        (run / "metrics.json").write_text(json.dumps(written if metrics is None else metrics))
    model = {
        "seen_classes": [class_names[digit] for digit in range(5)],
        "categories": [{"name": name, "is_novel": digit >= 5, "samples": 7} for digit, name in category_names.items()],
    }
    (run / "model").mkdir()
    (run / "model" / "model.json").write_text(json.dumps(model))
    if sites:
        where = random.choice(3, size=len(y), p=[0.6, 0.3, 0.1])
        for site in range(3):
            rows = np.flatnonzero(where == site)
            _write_site(
                run / "sites" / f"site-{site}", kind, x[rows], y[rows], rows, class_names, category_names, random
            )
    return run


def _write_site(
    folder: Path,
    kind: str,
    x: NDArray[Any],
    y: NDArray[Any],
    rows: NDArray[Any],
    class_names: dict[int, str],
    category_names: dict[int, str],
    random: np.random.Generator,
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = np.round(x.reshape(-1, 1, 8, 8) * 255 / 16).astype(np.uint8)
    labelled = (y < 5) & (random.random(len(y)) < 0.5)
    ids = tuple(f"digit-{row}" for row in rows)
    truth = tuple(class_names[digit] for digit in y)
    visible = tuple(name if known else None for name, known in zip(truth, labelled, strict=True))
    values = images if kind == "images" else x.astype(np.float32)
    write_dataset(
        Dataset("images" if kind == "images" else "vectors", values, visible, ids, "digits"), folder / "data.parquet"
    )
    write_truth(ids, truth, None, folder / "truth.parquet")
    found = np.where(random.random(len(y)) < 0.15, random.integers(0, 10, len(y)), y)
    predictions = {
        "id": ids,
        "category": [category_names[digit] for digit in found],
        "is_novel": [bool(digit >= 5) for digit in found],
        "confidence": pa.array(random.random(len(y)), pa.float32()),
    }
    pq.write_table(pa.table(predictions), folder / "predictions.parquet")


def predicted(run: Path) -> list[dict[str, Any]]:
    """All samples of a run, read without the code under test."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for folder in sorted((run / "sites").iterdir()):
        data = pq.read_table(folder / "data.parquet").to_pylist()
        truth = {row["id"]: row["label"] for row in pq.read_table(folder / "truth.parquet").to_pylist()}
        predictions = {row["id"]: row for row in pq.read_table(folder / "predictions.parquet").to_pylist()}
        rows += [
            {
                **predictions[row["id"]],
                "site": folder.name,
                "truth": truth[row["id"]],
                "labelled": row["label"] is not None,
            }
            for row in data
        ]
    return rows


def counts_of(table: Element) -> dict[tuple[str, str], int]:
    """The counts of a heat table by row and column name."""
    columns = [cell.text for cell in table.one("thead").all("tr")[1].all("th")][1:-1]
    counts: dict[tuple[str, str], int] = {}
    for row in table.one("tbody").all("tr"):
        cells = [cell.text for cell in row.all("td")]
        assert len(cells) == len(columns) + 1
        for column, cell in zip(columns, cells, strict=False):
            counts[row.one("th").text, column] = int(cell.replace(",", ""))
        assert int(cells[-1]) == sum(int(cell) for cell in cells[:-1])
    return counts


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("runs") / "digits", samples_of=1797)
    build_report(run)
    return run


@pytest.fixture(scope="module")
def digits_page(digits_run: Path) -> Element:
    return parse(digits_run / "report.html")


SECTIONS = [
    "scores",
    "map",
    "rounds",
    "confusion",
    "categories",
    "sites",
    "cost",
    "clients",
    "config",
    "glossary",
]


def test_every_section_is_there_in_order_and_linked(digits_page: Element) -> None:
    assert [element.attributes["id"] for element in digits_page.all("section")] == SECTIONS
    assert [link.attributes["href"] for link in digits_page.one("nav").all("a")] == [f"#{name}" for name in SECTIONS]
    for name in SECTIONS:
        assert section(digits_page, name).one("h2").text


def test_the_whole_of_digits_takes_less_than_three_megabytes(digits_run: Path) -> None:
    assert (digits_run / "report.html").stat().st_size < 3_000_000


def assert_self_contained(page: Element) -> None:
    assert not [tag for tag in ("script", "link", "iframe", "object", "embed", "base", "form") if page.all(tag)]
    for element in page.all("*"):
        for key, value in element.attributes.items():
            assert not key.startswith("on"), f"{element.tag} has {key}"
            if key.split(":")[-1] in {"src", "href", "srcset", "poster", "action", "data", "background"}:
                assert re.match(r"#[\w-]+$|data:image/(png|jpeg);base64,", value), f"{element.tag} loads {value[:60]}"
            assert not re.search(r"url\((?!#)", value)
    style = page.one("style").text
    assert "url(" not in style
    assert "@import" not in style


def test_nothing_is_loaded_from_elsewhere(digits_page: Element) -> None:
    assert_self_contained(digits_page)


def test_ids_are_unique_and_references_meet(digits_page: Element) -> None:
    ids = [element.attributes["id"] for element in digits_page.all("*") if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    text = " ".join(" ".join(element.attributes.values()) for element in digits_page.all("*"))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)
    hrefs = {element.attributes.get("href", "#")[1:] for element in digits_page.all("*")} - {""}
    assert hrefs <= set(ids)


def test_every_picture_has_a_text(digits_page: Element) -> None:
    drawings = [*digits_page.all("svg", role="img")]
    assert len(drawings) >= 8
    assert all(drawing.attributes["aria-label"] for drawing in drawings)
    assert all(image.attributes["alt"] for image in digits_page.all("img"))
    silent = [drawing for drawing in digits_page.all("svg") if drawing not in drawings]
    assert all(drawing.attributes.get("aria-hidden") == "true" for drawing in silent)


def test_the_result_is_told_in_words_and_key_numbers(digits_page: Element) -> None:
    assert digits_page.one("h1").text == "FedLPA on digits"
    assert digits_page.one("p", id="result").text == (
        "3 sites trained together for 4 rounds; 10 categories found where the truth has 10; "
        "93 % of the unlabelled samples are in the right category."
    )
    values = [tile.one("b").text for tile in digits_page.one("ul", **{"class": "tiles"}).all("li")]
    assert values == ["93.1 %", "98.1 %", "90.5 %", "96.8 %", "10", "37.5 kB"]


def test_scores_are_those_of_the_metrics(digits_page: Element) -> None:
    table = section(digits_page, "scores").one("table")
    assert [cell.text.split()[0] for cell in table.one("thead").all("th")] == ["Scope", "All", "Old", "New"]
    rows = [[cell.text for cell in row.all("td")] for row in table.one("tbody").all("tr")]
    assert rows == [["93.1 %", "98.1 %", "90.5 %"]] * 2


def test_confusion_counts_are_those_of_scikit_learn(digits_run: Path, digits_page: Element) -> None:
    rows = [row for row in predicted(digits_run) if not row["labelled"]]
    truth, category = [row["truth"] for row in rows], [row["category"] for row in rows]
    labels = sorted({*truth, *category})
    expected = confusion_matrix(truth, category, labels=labels)
    table = section(digits_page, "confusion").one("table")
    counts = counts_of(table)
    assert {true for true, _ in counts} == set(truth)
    assert {name for _, name in counts} == set(category)
    for (true, name), shown in counts.items():
        assert shown == expected[labels.index(true), labels.index(name)]


def test_the_matching_is_the_best_one_and_on_the_diagonal(digits_run: Path, digits_page: Element) -> None:
    table = section(digits_page, "confusion").one("table")
    cells = [row.all("td")[:-1] for row in table.one("tbody").all("tr")]
    counts = np.array([[int(cell.text) for cell in row] for row in cells])
    best = counts[linear_sum_assignment(counts, maximize=True)].sum()
    assert np.trace(counts) == best
    marked = [
        (i, j) for i, row in enumerate(cells) for j, cell in enumerate(row) if cell.attributes.get("class") == "match"
    ]
    assert marked == [(i, i) for i in range(10)]
    assert f"{100 * best / counts.sum():.1f} %" in section(digits_page, "confusion").one("p").text


def test_counts_by_site_add_up(digits_run: Path, digits_page: Element) -> None:
    counts = counts_of(section(digits_page, "sites").one("table"))
    for (site, name), shown in counts.items():
        assert shown == sum(
            row["site"] == site and row["category"] == name and not row["labelled"] for row in predicted(digits_run)
        )


def marks(svg: Element) -> list[Element]:
    """The groups of a map: those that tell what they are."""
    return [group for group in svg.all("g") if any(isinstance(c, Element) and c.tag == "title" for c in group.children)]


def points_of(group: Element) -> list[tuple[float, float]]:
    return [(float(mark.attributes["x"]), float(mark.attributes["y"])) for mark in group.all("use")]


def test_both_maps_show_the_same_points_in_matching_colours(digits_page: Element) -> None:
    maps = section(digits_page, "map").all("svg", **{"class": "map"})
    assert len(maps) == 2
    truth, category = ({group.one("title").text.rsplit(":", 1)[0]: group for group in marks(svg)} for svg in maps)
    points = [sorted(point for group in panel.values() for point in points_of(group)) for panel in (truth, category)]
    assert len(points[0]) == 1500
    assert points[0] == points[1]
    for digit in range(10):
        name = str(digit) if digit < 5 else f"novel-{digit - 4}"
        assert category[name].attributes["fill"] == truth[str(digit)].attributes["fill"]
    assert len({group.attributes["fill"] for group in truth.values()}) == 10


def test_sample_images_are_the_most_confident_ones_of_all_sites(digits_run: Path, digits_page: Element) -> None:
    rows = {(row["site"], row["id"]): row for row in predicted(digits_run)}
    articles = section(digits_page, "categories").all("article")
    assert len(articles) == 10
    for article in articles:
        name = article.one("h3").text.rsplit(" ", 1)[0]
        members = [row for row in rows.values() if row["category"] == name and not row["labelled"]]
        assert f"{len(members)} samples at 3 sites" in article.one("p").text
        shown = []
        for image in article.all("img"):
            found = re.match(r"sample (\S+) of (\S+), true class (\S+), confidence", image.attributes["alt"])
            assert found
            row = rows[found[2], found[1]]
            shown.append(row)
            assert row in members
            assert found[3] == row["truth"]
        assert len(shown) == 12
        confidences = [row["confidence"] for row in shown]
        assert confidences == sorted(confidences, reverse=True)
        by_site = [sum(row["site"] == site for row in shown) for site in ("site-0", "site-1", "site-2")]
        assert by_site == [4, 4, 4]
        for site in ("site-0", "site-1", "site-2"):
            best = sorted((row["confidence"] for row in members if row["site"] == site), reverse=True)[:4]
            assert sorted((row["confidence"] for row in shown if row["site"] == site), reverse=True) == best


def test_an_image_is_shown_pixel_by_pixel(digits_run: Path, digits_page: Element) -> None:
    image = section(digits_page, "categories").all("img")[0]
    found = re.match(r"sample (\S+) of (\S+),", image.attributes["alt"])
    assert found
    data = read_dataset(str(digits_run / "sites" / found[2] / "data.parquet"))
    encoded = image.attributes["src"].split(",", 1)[1]
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(encoded))))
    np.testing.assert_array_equal(pixels, data.x[data.ids.index(found[1])][0])


def test_curves_of_scores_losses_and_concepts(digits_page: Element) -> None:
    titles = [caption.one("h3").text for caption in section(digits_page, "rounds").all("figcaption")]
    assert titles == [
        "Global accuracy",
        "Local accuracy",
        "Seen-class accuracy",
        "Concepts of each site, and categories",
        "Loss mean over the clients; lower is better",
        "Silhouette",
    ]
    legend = section(digits_page, "rounds").all("figcaption")[3].all("li")
    assert [entry.text for entry in legend] == ["site-0", "site-1", "categories found", "true number"]
    swatches = section(digits_page, "rounds").one("ul", **{"class": "phases"}).all("li")
    assert [swatch.text for swatch in swatches] == ["warm-up", "refinement"]


def test_axes_count_concepts_in_whole_numbers_and_stand_a_line_of_zeros(tmp_path: Path) -> None:
    rounds = [record(index, health={"tiny_share": 0.0}, concepts={"site-0": 7}) for index in (1, 2)]
    page = parse(build_report(write_run(tmp_path / "run", rounds=rounds, sites=False)))
    drawings = {
        figure.one("h3").text: [text.text for text in figure.all("text")]
        for figure in section(page, "rounds").all("figure")
    }
    assert all(tick.isdigit() for tick in drawings["Concepts of each site, and categories"])
    assert not [tick for tick in drawings["Tiny share"] if "e" in tick]


def test_traffic_time_and_configuration_are_listed(digits_page: Element) -> None:
    traffic, times = (
        {row.one("th").text: [cell.text for cell in row.all("td")] for row in table.one("tbody").all("tr")}
        for table in section(digits_page, "cost").all("table")
    )
    assert traffic["All clients, whole run"] == ["1.2 MB", "600 kB"]
    assert traffic["A client and round"] == ["37.5 kB", "1 B"]
    assert traffic["The full model, for comparison"] == ["2.0 MB"]
    assert times["Whole run"] == ["2 min 41 s"]
    listed = section(digits_page, "config").one("dl")
    settings = {row.one("dt").text: row.one("dd").text for row in listed.all("div")}
    assert settings == {"method": "fedlpa", "data": "digits", "clients": "3", "alpha": "0.2", "backbone": "–"}


def test_vectors_are_listed_in_a_table_instead_of_pictures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", kind="vectors")
    page = parse(build_report(run))
    assert not page.all("img")
    table = section(page, "categories").one("table")
    rows = {row.one("th").text: [cell.text for cell in row.all("td")] for row in table.one("tbody").all("tr")}
    unlabelled = [row for row in predicted(run) if not row["labelled"]]
    for name, cells in rows.items():
        truths = [row["truth"] for row in unlabelled if row["category"] == name]
        purity = max(truths.count(true) for true in truths) / len(truths)
        assert cells[1] == str(len(truths))
        assert cells[4] == f"{100 * purity:.1f} %"


def test_the_map_draws_evenly_over_the_sites_from_the_given_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "MAP_SAMPLES", 60)
    seen: list[Dataset] = []

    def features(data: Dataset) -> NDArray[np.float32]:
        seen.append(data)
        # Two clusters that have nothing to do with the input.
        half = np.arange(len(data)) < len(data) / 2
        return np.stack([half, ~half], axis=1).astype(np.float32) + np.float32(0.01) * np.random.default_rng(0).random(
            (len(data), 2), dtype=np.float32
        )

    page = parse(build_report(write_run(tmp_path / "run", samples_of=400), features))
    (data,) = seen
    assert data.kind == "images"
    assert data.x.shape == (60, 1, 8, 8)
    assert [sum(name.startswith(f"{site}/") for name in data.ids) for site in range(3)] == [20, 20, 20]
    svg = section(page, "map").all("svg", **{"class": "map"})[0]
    points = np.array([point for group in marks(svg) for point in points_of(group)])
    assert len(points) == 60
    # Whichever way the clusters lie, there is a wide gap between them along one of the axes.
    assert max(np.diff(np.sort(points[:, axis])).max() for axis in (0, 1)) > 60
    assert "model’s features" in section(page, "map").one("p").text


def test_the_map_depends_on_the_direction_of_features_only() -> None:
    random = np.random.default_rng(0)
    directions = random.normal(size=(40, 5)).astype(np.float32)
    # Powers of two, so that not even the last bit differs: t-SNE amplifies it.
    lengths = 2.0 ** random.integers(-3, 4, size=(40, 1)).astype(np.float32)
    x = np.zeros((40, 2), np.float32)
    data = Dataset("vectors", x, (None,) * 40, tuple(map(str, range(40))), "none")
    plain = place(data, lambda _: directions)
    scaled = place(data, lambda _: directions * lengths)
    assert plain is not None
    assert scaled is not None
    np.testing.assert_array_equal(plain, scaled)


@pytest.mark.parametrize("columns", [1, 3])
def test_equal_and_broken_features_still_have_a_map(columns: int) -> None:
    data = Dataset("vectors", np.zeros((12, 1)), (None,) * 12, tuple(map(str, range(12))), "none")
    features = np.ones((12, columns), np.float32)
    features[0] = np.nan
    points = place(data, lambda _: features)
    assert points is not None
    assert np.isfinite(points).all()


def test_a_run_without_any_numbers_still_has_a_report(tmp_path: Path) -> None:
    nothing = {"all": None, "old": None, "new": None}
    rounds = [
        {"round": 1, "rounds": 2, "phase": "preparation"},
        record(
            2,
            rounds=2,
            loss={},
            scores={"global": None, "local": nothing, "seen_accuracy": None},
            categories={"found": None, "true": None},
            concepts={},
            health={},
        ),
    ]
    metrics = {
        "final": {"global": None, "local": nothing, "seen_accuracy": None, "categories": None},
        "wire": None,
        "seconds": {"total": None},
    }
    page = parse(build_report(write_run(tmp_path / "run", rounds=rounds, metrics=metrics, sites=False)))
    assert page.one("p", id="result").text == (
        "3 sites trained together for 2 rounds; there is no truth to score against."
    )
    assert not section(page, "scores").all("table")
    assert not section(page, "rounds").all("svg")
    shown = re.sub(r"data:image\S+", "", page.one("body").text)
    assert not re.search(r"\b(None|nan|null|undefined)\b", shown)


def test_a_run_with_only_a_configuration_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    page = parse(build_report(tmp_path))
    assert page.one("p", id="result").text == "The sites, no finished round; there is no truth to score against."


def test_a_deployment_leaves_out_what_is_private_and_says_why(tmp_path: Path) -> None:
    final = {"final": {"global": None, "local": None, "seen_accuracy": 0.9, "categories": {"found": 10, "true": None}}}
    page = parse(build_report(write_run(tmp_path / "run", sites=False, metrics=final)))
    present = [element.attributes["id"] for element in page.all("section")]
    assert present == ["scores", "rounds", "categories", "cost", "clients", "config", "glossary"]
    assert "stay at the institutions" in section(page, "categories").one("p").text
    names = [row.one("th").text for row in section(page, "categories").one("tbody").all("tr")]
    assert names == ["0", "1", "2", "3", "4", *(f"novel-{index}" for index in range(1, 6))]
    assert "90 % of the held-out labelled samples" in page.one("p", id="result").text
    assert {link.attributes["href"] for link in page.one("nav").all("a")} == {f"#{name}" for name in present}
    assert_self_contained(page)


HOSTILE = "<script>alert(1)</script>"
IMAGE = '"><img src="http://evil.example/x.png" onerror="alert(1)">'


@pytest.mark.parametrize("kind", ["images", "vectors"])
def test_hostile_names_are_shown_as_text(tmp_path: Path, kind: str) -> None:
    bad = {"site": IMAGE, "reason": HOSTILE + "\x1b[31m"}
    rounds = [
        record(
            1,
            phase=HOSTILE,
            loss={HOSTILE: 1.0},
            concepts={IMAGE: 3, "$x^{": 4},
            scores={HOSTILE: {IMAGE: 0.5}, "global": {"all": 0.5}},
            health={IMAGE: 1.0},
            clients={"asked": 2, "answered": 0, "sat_out": [IMAGE], "failed": [bad], "refused": []},
        ),
        record(2),
    ]
    config = {IMAGE: HOSTILE, "method": HOSTILE, "data": IMAGE}
    names = {2: "类 $x^{", 3: HOSTILE, 4: IMAGE}
    run = write_run(tmp_path / "run", kind=kind, names=names, config=config, rounds=rounds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = parse(build_report(run))
    assert_self_contained(page)
    for name in ("map", "confusion", "categories", "sites", "clients", "config"):
        assert HOSTILE in section(page, name).text, name
    assert IMAGE in section(page, "confusion").text
    assert all("类 $x^{" in [text.text for text in svg.all("text")] for svg in section(page, "map").all("svg"))
    assert "\x1b" not in (run / "report.html").read_text()
    assert page.one("h1").text.startswith(HOSTILE)


def test_graph_scores_are_tabled_and_drawn_without_being_known_here(tmp_path: Path) -> None:
    scores = {"seen": 0.93, "unseen_node": 0.909, "missing_class": 0.714, "new_client": None, "far_away": 0.5}
    metrics = {"final": {**scores, "categories": {"found": 7}}}
    rounds = [record(1, scores=scores), record(2, scores=scores)]
    page = parse(
        build_report(
            write_run(tmp_path / "run", config={"method": "fedlog"}, rounds=rounds, metrics=metrics, sites=False)
        )
    )
    table = section(page, "scores").one("table")
    heads = [cell.text for cell in table.one("thead").all("th")]
    assert [head for head in heads if head.startswith(("Seen graph", "Unseen node", "Missing class"))] == heads[1:4]
    assert heads[4:] == ["Far away"]
    assert [cell.text for cell in table.one("tbody").all("td")] == ["93.0 %", "90.9 %", "71.4 %", "50.0 %"]
    legend = [entry.text for entry in section(page, "rounds").all("figcaption")[0].all("li")]
    assert legend == ["Seen graph", "Unseen node", "Missing class", "Far away"]
    assert "Unseen node" in section(page, "glossary").text
    assert "All, Old, New" not in section(page, "glossary").text


def test_absences_are_listed_by_round_with_their_reasons(tmp_path: Path) -> None:
    dead = {"site": "site-2", "reason": "no reply within 600 s"}
    refused = {"site": "site-1", "reason": "loss is not finite"}

    def clients(**absent: Any) -> dict[str, Any]:
        return {"asked": 3, "answered": 2, "sat_out": [], "failed": [], "refused": [], **absent}

    rounds = [
        record(1, clients=clients(failed=[dead])),
        record(2, clients=clients(failed=[dead])),
        record(3, clients=clients(refused=[refused], sat_out=["site-0"])),
        record(4, clients=clients(failed=[dead])),
    ]
    page = parse(build_report(write_run(tmp_path / "run", rounds=rounds, sites=False)))
    part = section(page, "clients")
    assert part.one("p").text.startswith("8 of 12 requests")
    rows = [[cell.text for cell in row.all("*") if cell.tag in ("td", "th")] for row in part.one("tbody").all("tr")]
    assert rows == [
        ["1–2, 4", "site-2", "failed", "no reply within 600 s"],
        ["3", "site-0", "sat out", "–"],
        ["3", "site-1", "reply refused", "loss is not finite"],
    ]


def test_a_run_that_exchanged_nothing_did_not_train_together(tmp_path: Path) -> None:
    rounds = [record(index, bytes={"up": 0, "down": 0}) for index in (1, 2)]
    page = parse(build_report(write_run(tmp_path / "run", rounds=rounds, sites=False)))
    sentence = page.one("p", id="result").text
    assert sentence.startswith("3 sites worked without exchanging anything for 2 of 4 planned rounds;")


def test_the_epsilon_reached_is_stated(tmp_path: Path) -> None:
    spent = {"clip_norm": 1.0, "noise_multiplier": 5.0, "epsilon": 10.484}
    metrics = {"final": {}, "privacy": {"delta": 1e-5, "rounds": 27, "covers": "weights", "central": spent}}
    page = parse(build_report(write_run(tmp_path / "run", metrics=metrics, sites=False)))
    told = page.one("section", id="privacy").text
    assert "Epsilon 10.5 at delta 1e-05" in told
    assert "after 27 rounds" in told
    bare = parse(build_report(write_run(tmp_path / "bare", sites=False)))
    assert not bare.all("section", id="privacy")


def test_a_resumed_run_counts_each_round_once_and_skips_half_a_line(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", rounds=[record(1), record(2), record(2, phase="closing")], sites=False)
    with open(run / "rounds.jsonl", "a") as file:
        file.write('{"round": 3, "rou')
    rounds = read_run(run).rounds
    assert [(entry.round, entry.phase) for entry in rounds] == [(1, "warm-up"), (2, "closing")]
    assert [(phase.name, phase.first, phase.last) for phase in phases(rounds)] == [
        ("warm-up", 1, 1),
        ("closing", 2, 2),
    ]


def test_an_earlier_report_survives_a_failing_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "report.html").write_text("earlier")

    def features(data: Dataset) -> NDArray[np.float32]:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        build_report(run, features)
    assert (run / "report.html").read_text() == "earlier"
    assert [path.name for path in run.iterdir() if path.name.endswith(".part")] == []


def test_a_site_without_predictions_is_left_out_and_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "sites" / "site-1" / "predictions.parquet").unlink()
    page = parse(build_report(run))
    assert "no samples: site-1." in section(page, "map").text
    assert {site for site, _ in counts_of(section(page, "sites").one("table"))} == {"site-0", "site-2"}


def test_predictions_of_other_samples_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    swapped = run / "sites" / "site-0" / "predictions.parquet"
    swapped.write_bytes((run / "sites" / "site-1" / "predictions.parquet").read_bytes())
    with pytest.raises(InputError, match=r"site-0.*which data\.parquet beside it lacks"):
        build_report(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        build_report(tmp_path)
