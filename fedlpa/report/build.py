"""Building ``report.html``: everything a run has to show, in one file that needs nothing else."""

import json
from pathlib import Path

from common.files import write_text
from common.privacy.accountant import privacy_sentences
from fedlpa.report import curves, words
from fedlpa.report.colours import phase_colour
from fedlpa.report.discovered import read_discovered
from fedlpa.report.embedding_map import Features
from fedlpa.report.line_chart import phases
from fedlpa.report.participation import participation
from fedlpa.report.run_reading import read_run
from fedlpa.report.score_table import score_table
from fedlpa.report.summary import heading, result_sentence, tiles, when


def build_report(folder: Path, features: Features | None = None) -> Path:
    """Write ``report.html`` into a run's folder and return its path.

    ``features`` maps a data set of n samples to their embedding, float32 ``[n, d]``; without it the map
    shows the flattened input. Whatever the run folder lacks is left out of the page, with a sentence why.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("fedlpa.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for show in (words.percent, words.size, words.count, words.duration, words.plural, words.printable, _setting):
        environment.filters[show.__name__.lstrip("_")] = show
    run = read_run(folder)
    shaded = phases(run.rounds)
    charts = (
        *curves.score_charts(run.rounds, shaded),
        curves.concept_chart(run.rounds, shaded),
        curves.loss_chart(run.rounds, shaded),
        *curves.health_charts(run.rounds, shaded),
    )
    cost_charts = (curves.traffic_chart(run.rounds, shaded), curves.time_chart(run.rounds, shaded))
    page = environment.get_template("page.html.j2").render(
        run=run,
        heading=heading(run),
        when=when(run),
        sentence=result_sentence(run),
        tiles=tiles(run),
        scores=score_table(run),
        phases={name: phase_colour(name) for phase in shaded if (name := phase.name)},
        charts=[chart for chart in charts if chart],
        cost_charts=[chart for chart in cost_charts if chart],
        participation=participation(run.rounds),
        privacy=privacy_sentences(run.metrics.privacy if run.metrics else None),
        is_graph=run.is_graph,
        discovered=read_discovered(run, features),
        of_features=features is not None,
    )
    target = folder / "report.html"
    write_text(target, page.strip() + "\n")
    return target


def _setting(value: object) -> str:
    """A value of the configuration as it is shown."""
    if value is None:
        return words.NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
