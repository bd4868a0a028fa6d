"""docs/cost.md, made from prices.json and measured.json; `tools.document` writes it."""

from textwrap import fill

from functions.callback.progress import wait_seconds
from functions.callback.settings import CallbackSettings
from tools.cost.model import (
    IMAGES,
    OPENAI_SECONDS,
    S3_MS,
    Measured,
    Prices,
    Way,
    billed_ms,
    costs,
    days_kept,
    measured,
    memory_mb,
    monthly,
    openai_edit,
    prices,
)

# Columns of prose in the documents.
WIDTH = 120
_WAYS: dict[Way, str] = {"base64": "single, as base64", "url": "single, as a link", "batch": "in a batch"}
_HEAD = """# What it costs

<!-- Written by `make cost` from tools/cost: prices.json has the prices, measured.json what was measured. -->

`make cost` measures the functions, counts state transitions on the embedded AWS, multiplies by public prices and writes
this page. `make docs` writes it anew without measuring. Prices are those of {region} on {as_of}, without free tiers
and discounts.
{region_note}
"""
_METHOD = """## How the figures come about

- **Pictures** are JPEG photographs of {picture_mb:.1f} MB ({megapixels:.0f} megapixels); OpenAI answers with a PNG of
  {answer_mb:.1f} MB.
- **Waiting** is the time from the request to OpenAI's answer, {seconds} s, in a function of {small} MB.
- **Work** is the processor time of each handler, measured on {on} on the machine that ran `make cost`, divided
  by the share of a processor that the function has by its memory (1,769 MB are one whole), and {s3_ms} ms for each
  request to S3.
- **State transitions** are the states that a real execution entered; AWS counts each, and each retry.
- **Data** that is sent to the internet costs; what comes in, and what goes to S3 in the same region, does not.
- **A failure** adds to this: each retry is one more transition and invocation, and perhaps a second charge by OpenAI
  for one image. The metric `ProbablyPaidTwice` counts those ([runbook](runbook.md#editsarepaidtwice)).
- **Left out** are cold starts, the sweeper and X-Ray's traces (of 5 % of the requests). They cost less than a cent for
  1,000 images in a batch, and a few cents for 1,000 single ones that are so far apart that each has a cold start.

### States

{states}

### Functions

| way | function | memory (MB) | processor time (ms) | requests to S3 | billed beside the wait (ms) |
|---|---|---|---|---|---|
{functions}

### Prices

| what | US dollars | source |
|---|---|---|
{prices}
"""
_LOWER = """## What keeps it low

- **The function that waits is small.** Nearly all pictures are edited in {small} MB. One whose header says that it may
  take more goes to the function of {large} MB before it is decoded, and before anything is paid: three transitions and
  a short invocation more. In a batch at {seconds} s, 1,000 such pictures cost about {large_usd}. The metric
  `HandedOver` counts them, on the dashboard beside `ImagesProcessed`.
- **Waiting for a rate limit** takes three transitions a round and no compute: the state machine waits.
- **Express workflows** would save the children's transitions. They end after 5 minutes; a picture may wait for hours.
"""


def text() -> str:
    """The text of docs/cost.md."""
    given, at = measured(), prices()
    parts = [_HEAD.format(region=at.region, as_of=at.as_of, region_note=at.region_note)]
    parts += [_table(seconds, given, at) for seconds in OPENAI_SECONDS]
    parts += [_beside(given, at), _lower(given, at), _method(given, at)]
    return "\n".join(parts)


def _table(seconds: int, given: Measured, at: Prices) -> str:
    by_way = {way: costs(way, seconds, given, at) for way in _WAYS}
    rows = [_row(name, [f"{by_way[way][name]:.3f}" for way in _WAYS]) for name in by_way["url"]]
    totals = [sum(by_way[way].values()) for way in _WAYS]
    openai = openai_edit().usd * IMAGES
    return "\n".join(
        [
            f"## {IMAGES:,} images, OpenAI answering in {seconds} s\n",
            _row("US dollars", list(_WAYS.values())),
            "|---" * (len(_WAYS) + 1) + "|",
            *rows,
            _row("**AWS**", [f"**{total:.2f}**" for total in totals]),
            _row("OpenAI", [f"{openai:.2f}"] * len(_WAYS)),
            _row("AWS's share of both", [f"{total / (total + openai):.1%}" for total in totals]),
            "",
        ]
    )


def _row(name: str, cells: list[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _beside(given: Measured, at: Prices) -> str:
    gb, edit = 1024**3, openai_edit()
    kept = IMAGES * (given.picture_bytes + given.answer_bytes) / gb * at.usd("s3_gb_month") * days_kept() / 30
    fetched = IMAGES * given.answer_bytes / gb * at.usd("gb_sent")
    a_month = ", ".join(f"{count} {name} ${usd:.2f}" for name, (count, usd) in monthly(at).items())
    return f"""## Beside it

- Keeping {IMAGES:,} inputs and results for {days_kept()} days (`JobsExpirationDays`): ${kept:.2f}.
- {IMAGES:,} results fetched over the internet by their links: ${fetched:.2f}.
- Each month, whatever is done: {a_month}; each custom metric with data ${at.usd("metric_month"):.2f}.
- Progress that a job has posted (`progressUrl`), in state transitions, three for each look at the job:
  {_progress(30, "a job of 30 s", at)}, {_progress(3600, "of an hour", at)}, {_progress(86400, "of a day", at)}.
- OpenAI's price is that of {edit.model}, quality {edit.quality}, size {edit.size}: an estimate by the prices of
  {edit.as_of} in [prices.json](../layers/common/imagejobs/prices.json), rather too much than too little.
"""


def _progress(seconds: int, job: str, at: Prices) -> str:
    """What the posts of a job's progress cost: looks from its start until the first one after its end."""
    looks, age = 1, 0
    while age < seconds:
        looks, age = looks + 1, age + wait_seconds(age, CallbackSettings().progress_seconds)
    # Each look is a Task and a Choice; a Wait stands between two, ChooseOperation and the end around them all.
    transitions = 3 * looks + 1
    return f"{job} {transitions:,} (${transitions * at.usd('state_transition'):.4f})"


def _lower(given: Measured, at: Prices) -> str:
    small, large = memory_mb("ProcessSmallImageFunction"), memory_mb("ProcessImageFunction")
    seconds = OPENAI_SECONDS[0]
    batch = costs("batch", seconds, given, at)
    more = seconds * (large - small) / 1024 * IMAGES * at.usd("lambda_gb_second")
    handed_over = 3 * IMAGES * at.usd("state_transition")
    total = sum(batch.values()) + more + handed_over
    return _LOWER.format(small=small, large=f"{large:,}", large_usd=f"${total:.2f}", seconds=seconds)


def _method(given: Measured, at: Prices) -> str:
    states = [
        f"- {_WAYS[way]}: {_chain(given.jobs[way].states)} ({len(given.jobs[way].states)} an image)" for way in _WAYS
    ]
    batch = given.jobs["batch"].batch_states
    states.append(fill(f"- a batch itself: {_chain(batch)} ({len(batch)})", WIDTH, subsequent_indent="  "))
    functions = [
        _row(
            _WAYS[way],
            [
                f"{one.function}{'' if one.images == 1 else f', for {one.images} images'}",
                f"{memory_mb(one.function):,}",
                f"{one.cpu_ms:.0f}",
                str(one.s3_reads + one.s3_writes),
                f"{billed_ms(one):.0f}",
            ],
        )
        for way, job in given.jobs.items()
        for one in job.invocations
    ]
    listed = [_row(one.what, [f"{one.usd:.10f}".rstrip("0"), one.source]) for one in at.aws.values()]
    return _METHOD.format(
        picture_mb=given.picture_bytes / 1e6,
        megapixels=given.picture_pixels / 1e6,
        answer_mb=given.answer_bytes / 1e6,
        seconds=" or ".join(map(str, OPENAI_SECONDS)),
        small=memory_mb("ProcessSmallImageFunction"),
        on=given.on,
        s3_ms=S3_MS,
        states="\n".join(states),
        functions="\n".join(functions),
        prices="\n".join(listed),
    )


def _chain(states: list[str]) -> str:
    return " → ".join(f"`{name}`" for name in states)
