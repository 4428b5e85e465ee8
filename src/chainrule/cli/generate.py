"""``chainrule generate``: texts from a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.model import load_model
from chainrule.cli.output import examples, print_json
from chainrule.errors import ChainruleError


@examples(
    "chainrule generate runs/input --prompt 'ROMEO:' --length 500 --temperature 0.8",
    "chainrule generate runs/input --prompt 'To be' --top-k 20 --seed 1",
    "chainrule generate runs/names --samples 20",
    "chainrule generate runs/names --prompt an --beams 8",
)
def generate(
    model: Annotated[Path, typer.Argument(help="The folder of a trained language model.", metavar="MODEL")],
    prompt: Annotated[
        str | None, typer.Option(help="The text to go on from. Default: a new line, or the beginning of a short text.")
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Symbols to generate, at most.")] = 200,
    samples: Annotated[int, typer.Option(min=1, help="How many texts.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, help="Below 1: more of what is probable; 0: only that.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw from so many of the most probable symbols.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw from the fewest symbols with this probability.")] = None,
    beams: Annotated[int | None, typer.Option(help="Search for a probable text with so many beams.")] = None,
    stop: Annotated[str | None, typer.Option(help="End before this text.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same texts.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Generate texts with a language model, which ``chainrule train TEXT.txt`` makes.

    A network that has a limited number of positions sees the latest of them; longer texts are no error.
    """
    from chainrule.estimators.language_model import LanguageModel

    fitted = load_model(model)
    if not isinstance(fitted, LanguageModel):
        raise ChainruleError(
            f"{model}: is a {type(fitted).__name__}, no language model; chainrule train TEXT.txt makes one"
        )
    begin = fitted.default_prompt if prompt is None else prompt
    texts = fitted.generate(
        [begin] * samples,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        beams=beams,
        seed=seed,
        stop=stop,
    )
    if json:
        print_json({"prompt": begin, "texts": texts})
        return
    for text in texts:
        print(text)
