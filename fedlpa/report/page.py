"""The report's page, a Jinja template; in a Python module for the reason given in ``style``."""

PAGE = """\
{% macro chart(drawn) %}
<figure>
  <figcaption>
    <h3>{{ drawn.title }}{% if drawn.note %} <small>{{ drawn.note }}</small>{% endif %}</h3>
    {% if drawn.legend|length > 1 %}
    <ul class="keys">
      {% for name, key in drawn.legend %}<li>{{ key }}{{ name }}</li>
      {% endfor %}
    </ul>
    {% endif %}
  </figcaption>
  {{ drawn.svg }}
</figure>
{% endmacro %}
{% macro heat(table, corner, across) %}
<div class="scroll" tabindex="0">
<table class="heat{{ ' dense' if table.columns|length > 25 }}">
  <thead>
    <tr><td></td><th class="axis" colspan="{{ table.columns|length + 1 }}">{{ across }}</th></tr>
    <tr>
      <th scope="col" class="axis">{{ corner }}</th>
      {% for name, novel in table.columns %}
      <th scope="col"><div class="{{ 'up' if name|length > 3 }}{{ ' novel-name' if novel }}"
        title="{{ name }}">{{ name }}</div></th>
      {% endfor %}
      <th scope="col"><div class="up axis">samples</div></th>
    </tr>
  </thead>
  <tbody>
    {% for row in table.rows %}
    <tr>
      <th scope="row"{% if row.novel %} class="novel-name"{% endif %}
        title="{{ row.name }}">{{ row.name }}</th>
      {% for cell in row.cells %}
      {% if cell.count %}
      <td{% if cell.matched %} class="match"{% endif +%}
        style="background:{{ cell.background }};color:{{ cell.text }}"
        title="{{ cell.share|percent }} of the row">{{ cell.count|count }}</td>
      {% else %}
      <td class="zero">0</td>
      {% endif %}
      {% endfor %}
      <td class="total">{{ row.total|count }}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
</div>
{% endmacro %}
{% macro tag(novel) %}<span
  class="tag{{ ' novel' if novel }}">{{ 'novel' if novel else 'seen' }}</span>{% endmacro %}
{% macro bar(share) %}<span class="bar"><i
  style="width:{{ '%.1f'|format(100 * share) }}%"></i></span>{% endmacro %}
{% set private %}
This run kept no copy of the sites’ samples: in a real deployment data, truth and predictions stay at the
institutions, so the parts that need them are left out here.
{% endset %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ heading }}: run report</title>
<style>{{ style|safe }}</style>
</head>
<body>
<div class="page">
<header>
  <p class="eyebrow">Federated category discovery · run report</p>
  <h1>{{ heading }}</h1>
  <p class="when">{{ when }}</p>
  <p class="sentence" id="result">{{ sentence }}</p>
  {% if tiles %}
  <ul class="tiles">
    {% for tile in tiles %}
    <li><b>{{ tile.value }}</b> <span>{{ tile.name }}</span>
      {%- if tile.note %} <small>{{ tile.note }}</small>{% endif %}</li>
    {% endfor %}
  </ul>
  {% endif %}
  <nav aria-label="Contents">
    <a href="#scores">Scores</a>
    {% if samples %}<a href="#map">Map</a>{% endif +%}
    <a href="#rounds">Over the rounds</a>
    {% if matrix %}<a href="#confusion">Truth and categories</a>{% endif +%}
    <a href="#categories">Categories</a>
    {% if by_site %}<a href="#sites">Sites</a>{% endif +%}
    <a href="#cost">Traffic and time</a>
    <a href="#clients">Absences</a>
    {% if privacy %}<a href="#privacy">Differential privacy</a>{% endif +%}
    <a href="#config">Configuration</a>
    <a href="#glossary">Glossary</a>
  </nav>
</header>
<main>

<section id="scores">
  <h2>Scores</h2>
  {% if scores %}
  <p class="lead">Accuracy of the last round’s model
    {%- if not is_graph %} after the best one-to-one matching of categories to true classes{% endif %}.</p>
  <div class="scroll" tabindex="0">
  <table class="plain scores">
    <thead><tr><th scope="col">Scope</th>
      {% for name, hint in scores.columns %}
      <th scope="col">{{ name }}{% if hint %} <small>{{ hint }}</small>{% endif %}</th>
      {% endfor %}
    </tr></thead>
    <tbody>
      {% for (name, hint), cells in scores.rows %}
      <tr><th scope="row">{{ name }}{% if hint %} <small>{{ hint }}</small>{% endif %}</th>
        {% for cell in cells %}
        <td>{{ cell|percent }}{% if cell is not none %}{{ bar(cell) }}{% endif %}</td>
        {% endfor %}
      </tr>
      {% endfor %}
    </tbody>
  </table>
  </div>
  {% else %}
  <p class="lead">There is no truth to score the categories against, as is usual outside benchmarks.</p>
  {% endif %}
  {% if seen_accuracy is not none or found is not none or true_number is not none %}
  <ul class="facts">
    {% if seen_accuracy is not none %}
    <li><b>{{ seen_accuracy|percent }}</b> of held-out labelled samples of seen classes recognised</li>
    {% endif %}
    {% if found is not none %}<li><b>{{ found|count }}</b> categories found</li>{% endif +%}
    {% if true_number is not none %}<li><b>{{ true_number|count }}</b> true categories</li>{% endif +%}
  </ul>
  {% endif %}
</section>

{% if samples %}
<section id="map">
  <h2>Map of the embedding</h2>
  {% if maps %}
  <p class="lead">{{ samples.map_rows|length|count }} samples, drawn evenly over all sites and placed by
    t-SNE of the
    {{ "model’s features" if of_features else "input" }}, so that similar samples lie close together. Both
      maps show
    the same points{% if maps|length == 2 %}; a category has the colour of the class that most of its
      samples belong
    to{% endif %}.</p>
  <div class="grid">
    {% for map in maps %}
    <figure>
      <figcaption><h3>{{ map.title }}</h3></figcaption>
      {{ map.svg }}
      <ul class="keys">
        {% for entry in map.legend %}<li>{{ entry.mark }}{{ entry.name }}</li>
        {% endfor %}
      </ul>
    </figure>
    {% endfor %}
  </div>
  {% else %}
  <p class="lead">The sites hold too few samples to draw a map.</p>
  {% endif %}
  {% if incomplete %}
  <p class="note">Left out, because a file of theirs is missing or they hold no samples:
    {{ incomplete|join(", ") }}.</p>
  {% endif %}
</section>
{% endif %}

<section id="rounds">
  <h2>Over the rounds</h2>
  {% if charts %}
  <p class="lead">How scores, categories and losses moved while the sites trained.
     The horizontal axis counts
    rounds{% if phases|length > 1 %}; the background shows the phase of the run{% endif %}.</p>
  {% if phases|length > 1 %}
  <ul class="phases">
    {% for phase in phases %}<li><i style="background:{{ phase.colour }}"></i>{{ phase.name }}</li>
    {% endfor %}
  </ul>
  {% endif %}
  <div class="grid">
    {% for drawn in charts %}{{ chart(drawn) }}{% endfor %}
  </div>
  {% else %}
  <p class="lead">No round recorded a score, a loss or a number of concepts.</p>
  {% endif %}
</section>

{% if matrix %}
<section id="confusion">
  <h2>Truth and categories</h2>
  <p class="lead">How the {{ scored|count }} unlabelled samples of each true class are spread over the
    discovered
    categories. Outlined cells are the one-to-one matching over the samples shown here; they hold
    {{ share_right|percent }} of them. Cells are tinted by their share of the row; names of
    <span class="novel-name">novel</span> classes and categories are brown.</p>
  {{ heat(matrix, "True class", "Discovered category") }}
</section>
{% endif %}

<section id="categories">
  <h2>Categories</h2>
  {% if described and kind == "images" %}
  <p class="lead">The most confident unlabelled samples of each category, taken from as many sites as
    possible.
    {%- if matrix %} A dashed red frame marks a sample whose true class is not the category’s most frequent
      one.
    {%- endif %}</p>
  {% for category in described %}
  <article class="category">
    <div>
      <h3>{{ category.mark }}{{ category.name }} {{ tag(category.novel) }}</h3>
      <p>{{ plural(category.samples, "sample") }} at {{ plural(category.sites, "site") }}
        {%- if category.true_class is not none %}<br>{{ category.purity|percent(0) }} are class
        {{ category.true_class }}{% endif %}</p>
    </div>
    <div class="pictures">
      {% for picture in category.pictures %}
      <img src="{{ picture.uri }}" alt="{{ picture.text }}" title="{{ picture.text }}" class="
        {{- 'smooth' if picture.reduced else 'pixels' }}{{ '' if picture.right else ' wrong' }}">
      {% endfor %}
    </div>
  </article>
  {% endfor %}
  {% elif described %}
  <p class="lead">Size of each category among the unlabelled samples
    {%- if matrix %}, its most frequent true class, and the share of its samples that belong to it (purity)
    {%- endif %}.</p>
  <div class="scroll" tabindex="0">
  <table class="plain">
    <thead><tr><th scope="col">Category</th><th scope="col">Kind</th><th scope="col" class="num">Samples</th>
      <th scope="col" class="num">Sites</th>
      {% if matrix %}<th scope="col">Most frequent class</th><th scope="col">Purity</th>{% endif +%}
    </tr></thead>
    <tbody>
      {% for category in described %}
      <tr><th scope="row">{{ category.mark }} {{ category.name }}</th><td>{{ tag(category.novel) }}</td>
        <td class="num">{{ category.samples|count }}</td><td class="num">{{ category.sites|count }}</td>
        {% if matrix %}
        <td>{{ category.true_class if category.true_class is not none else "–" }}</td>
        <td>{{ category.purity|percent }}{% if category.purity is not none %}<span class="purity">
          {{- bar(category.purity) }}</span>{% endif %}</td>
        {% endif %}
      </tr>
      {% endfor %}
    </tbody>
  </table>
  </div>
  {% elif model_categories %}
  <p class="lead">The categories that the model knows. {{ private }}</p>
  <div class="scroll" tabindex="0">
  <table class="plain narrow">
    <thead><tr><th scope="col">Category</th><th scope="col">Kind</th><th scope="col"
      class="num">Samples</th></tr></thead>
    <tbody>
      {% for category in model_categories %}
      <tr><th scope="row">{{ category.name|printable }}</th>
        <td>{{ tag(category.is_novel) }}</td>
        <td class="num">{{ category.samples|count }}</td></tr>
      {% endfor %}
    </tbody>
  </table>
  </div>
  {% else %}
  <p class="lead">{{ private }}</p>
  {% endif %}
</section>

{% if by_site %}
<section id="sites">
  <h2>Categories by site</h2>
  <p class="lead">How many unlabelled samples of each category every site holds. Cells are tinted by their
    share of
    the site: the more uneven a row, the more one-sided that site’s data.</p>
  {{ heat(by_site, "Site", "Discovered category") }}
</section>
{% endif %}

<section id="cost">
  <h2>Traffic and time</h2>
  <p class="lead">What the federation sent and how long it took.</p>
  {% if cost_charts %}
  <div class="grid">
    {% for drawn in cost_charts %}{{ chart(drawn) }}{% endfor %}
  </div>
  {% endif %}
  <div class="grid tables">
  <table class="plain">
    <thead><tr><th scope="col">Traffic</th><th scope="col" class="num">Up</th><th scope="col"
      class="num">Down</th></tr></thead>
    <tbody>
      <tr><th scope="row">A client and round</th><td class="num">{{ up|size }}</td><td
        class="num">{{ down|size }}</td></tr>
      <tr><th scope="row">All clients, whole run</th><td class="num">{{ up_total|size }}</td>
        <td class="num">{{ down_total|size }}</td></tr>
      <tr><th scope="row">The full model, for comparison</th><td class="num"
        colspan="2">{{ full_model|size }}</td></tr>
    </tbody>
  </table>
  <table class="plain">
    <thead><tr><th scope="col">Time</th><th scope="col" class="num">Duration</th></tr></thead>
    <tbody>
      <tr><th scope="row">Whole run</th><td class="num">{{ seconds_total|duration }}</td></tr>
      {% for name, value in seconds %}
      <tr><th scope="row">{{ name }}</th><td class="num">{{ value|duration }}</td></tr>
      {% endfor %}
    </tbody>
  </table>
  </div>
</section>

<section id="clients">
  <h2>Absences</h2>
  {% if participation.missing %}
  <p class="lead">{{ participation.answered|count }} of {{ participation.asked|count }} requests to clients
    were answered.
    What is missing, and why:</p>
  <div class="scroll" tabindex="0">
  <table class="plain wide">
    <thead><tr><th scope="col">Rounds</th><th scope="col">Site</th><th scope="col">What happened</th>
      <th scope="col">Reason</th></tr></thead>
    <tbody>
      {% for absence in participation.missing %}
      <tr><td>{{ absence.rounds }}</td><th scope="row">{{ absence.site }}</th><td>{{ absence.kind }}</td>
        <td>{{ absence.reason or "–" }}</td></tr>
      {% endfor %}
    </tbody>
  </table>
  </div>
  {% elif participation.asked %}
  <p class="lead">{{ participation.answered|count }} of {{ participation.asked|count }} requests to clients
    were answered; no client failed, was refused, or sat out a round.</p>
  {% else %}
  <p class="lead">No round asked anything of a client.</p>
  {% endif %}
</section>

{% if privacy %}
<section id="privacy">
  <h2>Differential privacy</h2>
  {% for sentence in privacy %}
  <p class="lead">{{ sentence|capitalize }}.</p>
  {% endfor %}
</section>

{% endif %}
<section id="config">
  <h2>Configuration</h2>
  <p class="lead">Everything that was set or left at its default; <code>config.json</code> holds the same.</p>
  <dl class="config">
    {% for key, value in config %}
    <div><dt>{{ key }}</dt><dd>{{ value }}</dd></div>
    {% endfor %}
  </dl>
</section>

<section id="glossary">
  <h2>Glossary</h2>
  <dl class="glossary">
    {% if is_graph %}
    <dt>Seen graph</dt><dd>Accuracy on the test nodes of the graphs that the clients trained on.</dd>
    <dt>Unseen node</dt><dd>Accuracy on nodes that were absent from the training graph.</dd>
    <dt>Missing class</dt><dd>Accuracy on classes that the client never had a sample of.</dd>
    <dt>New client</dt><dd>Accuracy on the graph of a client that took no part in the training.</dd>
    {% else %}
    <dt>All, Old, New</dt><dd>Share of unlabelled samples in the right category: of all of them, of those
      whose true
      class is a seen one (Old), and of those whose true class is novel (New).</dd>
    <dt>Seen, novel</dt><dd>A class is seen if some sample of it has a label anywhere in the federation, novel
      otherwise.</dd>
    <dt>Concept</dt><dd>A group of similar samples that one site found in its own data.</dd>
    <dt>Category</dt><dd>Concepts of all sites that were matched to each other: what the federation
      found.</dd>
    <dt>Global scope</dt><dd>One matching of categories to true classes for the whole federation.</dd>
    <dt>Local scope</dt><dd>A matching at every site of its own, averaged by the number of samples; it
      forgives sites
      that name the same class differently.</dd>
    <dt>Seen-class accuracy</dt><dd>Share of held-out labelled samples that the model puts into their
      class.</dd>
    {% endif %}
    <dt>Head</dt><dd>The rows of the model that turn features into categories, one row a category.</dd>
    <dt>Round</dt><dd>One exchange: the server sends the model, the sites train it and send it back.</dd>
  </dl>
</section>

</main>
<footer>Written by fedlpa from the files of this run folder. Nothing on this page is loaded from
  elsewhere.</footer>
</div>
</body>
</html>
"""
