"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: parameters
IR: sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098"
MANIFEST = hashlib.sha256((Path(__file__).with_suffix(".zen") / "manifest.json").read_bytes()).hexdigest()


def container(run, *arguments, upstream=None, parameters=None, image=IMAGE):
    # KFP puts the values of inputs into their places. All are texts that it does not read.
    return dsl.ContainerSpec(
        image=image,
        command=["python3", "-m", "zen_kfp.runtime"],
        args=[
            *arguments,
            f"--manifest={MANIFEST}",
            f"--ir={IR}",
            f"--run={run}",
            *(f"--refs={step}={refs}" for step, refs in (upstream or {}).items()),
            *(f"--parameter={name}={value}" for name, value in (parameters or {}).items()),
        ],
    )


def configured(task):
    # Zen decides in the container whether work is done again.
    # A task that KFP takes from its own cache runs no container, and would be missing in the lineage.
    task.set_caching_options(False)
    return task


@dsl.container_component
def echo_whole(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_whole",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_share(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_share",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_switch(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_switch",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_word(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_word",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_needed(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_needed",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_day(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_day",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_moment(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_moment",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_file(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_file",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_rates(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_rates",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_words(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_words",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_pair(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_pair",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_table(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_table",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_maybe(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_maybe",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_mode(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_mode",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_limit(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_limit",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def echo_anything(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_anything",
        f"--to={refs}",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.container_component
def zen_end(
    run: str,
    needed: str,
    whole: str,
    share: str,
    switch: str,
    word: str,
    day: str,
    moment: str,
    file: str,
    rates: str,
    words: str,
    pair: str,
    table: str,
    maybe: str,
    mode: str,
    limit: str,
    anything: str,
):
    return container(
        run,
        "end-run",
        parameters={
            "needed": needed,
            "whole": whole,
            "share": share,
            "switch": switch,
            "word": word,
            "day": day,
            "moment": moment,
            "file": file,
            "rates": rates,
            "words": words,
            "pair": pair,
            "table": table,
            "maybe": maybe,
            "mode": mode,
            "limit": limit,
            "anything": anything,
        },
    )


@dsl.pipeline(name="parameters")
def parameters(
    needed: str,
    whole: str = "4",
    share: str = "0.25",
    switch: str = "false",
    word: str = '"abc"',
    day: str = '"2026-01-31"',
    moment: str = '"2026-01-31T06:00:00+01:00"',
    file: str = '"data/churn.csv"',
    rates: str = "[0.1,0.2]",
    words: str = '["a","b"]',
    pair: str = '[1,"a"]',
    table: str = '{"a":2,"b":1}',
    maybe: str = "null",
    mode: str = '"fast"',
    limit: str = '{"$zen":"float","value":"inf"}',
    anything: str = "null",
):
    given = {
        "run": dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        "needed": needed,
        "whole": whole,
        "share": share,
        "switch": switch,
        "word": word,
        "day": day,
        "moment": moment,
        "file": file,
        "rates": rates,
        "words": words,
        "pair": pair,
        "table": table,
        "maybe": maybe,
        "mode": mode,
        "limit": limit,
        "anything": anything,
    }
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        configured(echo_whole(**given))
        configured(echo_share(**given))
        configured(echo_switch(**given))
        configured(echo_word(**given))
        configured(echo_needed(**given))
        configured(echo_day(**given))
        configured(echo_moment(**given))
        configured(echo_file(**given))
        configured(echo_rates(**given))
        configured(echo_words(**given))
        configured(echo_pair(**given))
        configured(echo_table(**given))
        configured(echo_maybe(**given))
        configured(echo_mode(**given))
        configured(echo_limit(**given))
        configured(echo_anything(**given))


if __name__ == "__main__":
    compiler.Compiler().compile(parameters, str(Path(__file__).with_suffix(".yaml")))
