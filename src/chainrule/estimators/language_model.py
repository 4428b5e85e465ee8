"""The language model: it learns which symbol comes next in texts, and generates more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from chainrule.data.rows import split
from chainrule.data.rule import ReadingRule
from chainrule.data.target import Labels
from chainrule.data.text import BytePairs, Characters, SymbolReader, Words, as_texts
from chainrule.data.vocabulary import FIRST, PADDING, UNKNOWN
from chainrule.data.windows import ShortTexts, Windows, row_step, window_step
from chainrule.definition import check_count, check_number
from chainrule.equations.sizes import solve_sizes
from chainrule.errors import ChainruleError
from chainrule.estimators.base import NetworkEstimator, TrainingRun
from chainrule.estimators.inspect import Inspection
from chainrule.estimators.model import Specification, check_learning, check_vocabulary, longest_row, resolved
from chainrule.estimators.settings import ready_network
from chainrule.estimators.summary import rows_at_once
from chainrule.generation.beams import beam_search
from chainrule.generation.sampling import Sampling
from chainrule.generation.sequences import Stop, sample
from chainrule.generation.stepping import Stepping, stepping
from chainrule.layers import Layer
from chainrule.layers.composition import Reading
from chainrule.losses import CrossEntropy, SequenceCrossEntropy
from chainrule.optimizers import AdamW, ClipGlobalNorm, Clipping, CosineDecay, Optimizer, WarmUp
from chainrule.regularizers import Regularizer
from chainrule.training.callbacks import Callback, EarlyStopping, Run, as_callbacks
from chainrule.training.loop import first_state, train
from chainrule.training.programs import backend_name, program
from chainrule.training.source import steps_per_epoch

if TYPE_CHECKING:
    from chainrule.walk import Walk

Array = NDArray[Any]

# Karpathy, nanoGPT (2022), the recipe for small networks on a CPU.
OPTIMIZER = AdamW(WarmUp(CosineDecay(1e-3, 1e-4), 100), beta2=0.99, weight_decay=0.1)
CLIPPING = ClipGlobalNorm(1.0)
CHARACTERS = Characters(fewest=1)
MOST_STEPS = 250  # an epoch, where nothing is said: after each the loss is measured
EPOCHS = 8


class LanguageModel(Inspection, NetworkEstimator):
    """A network that predicts the next symbol of a text, and generates texts symbol by symbol.

    ``fit`` takes a running text, of which windows at random places are learnt, or a list of short texts, each of which
    is learnt as a whole, with its end.

    Parameters
    ----------
    network : layers from symbols x[b,t] to logits of the next, [b,t,v], or the name of a ready network, ``"gpt"`` or
        ``"gpt(layers=2, units=64)"``, which is told how many symbols and positions there are.  It must be causal: what
        it gives at a position may depend on that one and those before it.
    optimizer : None for AdamW along a cosine from 1e-3, after 100 steps of warming up.
    reading : what the symbols are: ``Characters()``, ``Words()`` or ``BytePairs()``.
    length : positions of a window; short texts have as many as the longest of them needs.
    epochs, steps_per_epoch, batch_size : an epoch of a running text is ``steps_per_epoch`` minibatches of windows, None
        for as many as the text has windows side by side, 250 at most; short texts are each read once in an epoch.
    regularizer, clipping : of the weights, and of the gradients.
    early_stopping : True, or ``EarlyStopping(…)``; None keeps the last epoch.
    validation_fraction : share that is set aside: the end of a running text, short texts chosen at random.
    callbacks, backend, n_jobs, random_state, verbose : as those of ``Classifier``.

    Attributes
    ----------
    history_ : losses in nats a symbol, learning rate, gradient norm and seconds by epoch.
    parameters_ : name → array, axes as in the equations.
    input_ : the vocabulary.
    """

    input_: SymbolReader

    augmentation = None  # of images only

    def __init__(
        self,
        network: Layer | str = "gpt",
        optimizer: Optimizer | None = None,
        *,
        reading: ReadingRule = CHARACTERS,
        length: int = 64,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        batch_size: int | None = None,
        regularizer: Regularizer | tuple[Regularizer, ...] | None = None,
        clipping: Clipping | None = CLIPPING,
        early_stopping: EarlyStopping | bool | None = None,
        validation_fraction: float = 0.1,
        callbacks: Any = None,
        backend: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.reading = reading
        self.length = length
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.regularizer = regularizer
        self.clipping = clipping
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.backend = backend
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # --- fitting ------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: None = None) -> Self:  # type: ignore[override]
        """Train on a text: one ``str``, the ``Path`` of a file, or a list of short texts.

        Raises ChainruleError where the text is too short, and where the network is not causal.
        """
        texts = as_language(X)
        with self._threads():
            return self._fit_short(texts) if isinstance(texts, list) else self._fit_running(texts)

    def _fit_running(self, text: str) -> Self:
        end = len(text) - int(self._share() * len(text))
        self.input_ = self._vocabulary([text[:end]])
        length, batch_size = self._count("length", 64), self._count("batch_size", 32)
        numbers = self._numbers([text[:end]])[0]
        steps = self._count("steps_per_epoch", max(1, min(MOST_STEPS, len(numbers) // (length * batch_size))))
        aside = Windows(self._numbers([text[end:]])[0], length, 1) if end < len(text) else None
        reading = Reading.of({"t": length}, "integer")
        return self._train_on(Windows(numbers, length, steps), aside, steps, batch_size, reading, length)

    def _fit_short(self, texts: list[str]) -> Self:
        kept, aside = np.arange(len(texts)), np.arange(0)
        if int(self._share() * len(texts)):
            kept, aside = split(len(texts), self._share(), None, np.random.default_rng(self._split_seed()))
        training, measured = ([texts[k] for k in rows] for rows in (kept, aside))
        self.input_ = self._vocabulary(training)
        source = ShortTexts.of(self._numbers(training))
        others = ShortTexts.of(self._numbers(measured)) if measured else None
        batch_size = min(self._count("batch_size", 32), source.rows)
        steps, every = steps_per_epoch(source.rows, batch_size), (source, *([others] if others else []))
        longest = max(int(rows.sequences.lengths.max()) for rows in every)
        reading = Reading.of({"t": None}, "integer", "t")
        return self._train_on(source, others, steps, batch_size, reading, longest)

    def _train_on(
        self, source: Corpus, aside: Corpus | None, steps: int, batch_size: int, reading: Reading, longest: int
    ) -> Self:
        backend, seed = backend_name(self.backend), self._seed()
        self.target_ = Labels(np.arange(self.input_.symbols))
        self.specification_ = self._specification_of(reading, longest)
        stepping_of(self.specification_, longest)  # says now where the network cannot generate
        made = self.specification_.step
        step = window_step(made) if reading.length is None else row_step(made)
        run = Run(first_state(step, seed, backend=backend), step.learnt, self._count("epochs", EPOCHS), steps, seed)
        self.history_ = run.history
        try:
            train(
                step,
                source,
                run,
                batch_size=batch_size,
                rates=self.specification_.optimizer.rates(run.steps),
                callbacks=self._watching(),
                measure=None if aside is None else lambda state: {"validation_loss": self._loss_of(aside, state)},
                backend=self.backend,
            )
        finally:
            self.parameters_ = {name: np.asarray(run.state[name]) for name in run.parameters}
            self.n_iter_, self.best_epoch_ = run.epoch, run.best_epoch or run.epoch
            self.training_ = TrainingRun(
                source.rows, batch_size, run.epochs, run.seed, aside is not None, run.computed_by, longest
            )
        return self

    def _watching(self) -> tuple[Callback, ...]:
        stopping = self._early_stopping()
        watching = (*(() if stopping is None else (stopping,)), *as_callbacks(self.callbacks))
        if not self.verbose:
            return watching
        from chainrule.training.notebook import live_display

        return (*watching, live_display())

    def _share(self) -> float:
        check_number("LanguageModel", "validation_fraction", self.validation_fraction, low=0, below=1)
        return float(self.validation_fraction)

    def _count(self, name: str, default: int) -> int:
        given = getattr(self, name)
        return check_count("LanguageModel", name, default if given is None else given)

    def _vocabulary(self, texts: list[str]) -> SymbolReader:
        """The reader learnt from texts, none of which is cut."""
        rule = self.reading
        if not isinstance(rule, Characters | Words | BytePairs):
            raise ChainruleError(f"LanguageModel: reading is Characters(), Words() or BytePairs(), not {rule!r}")
        whole = max(1, *(len(text.encode()) for text in texts))
        return replace(rule, longest=whole).fit(as_texts(texts), np.ones(len(texts)))

    def _numbers(self, texts: list[str]) -> list[Array]:
        return [np.asarray(row) for row in self.input_.numbers(texts)]

    def _specification_of(self, reading: Reading, longest: int) -> Specification:
        owner = "LanguageModel"
        optimizer = OPTIMIZER if self.optimizer is None else self.optimizer
        regularizers = check_learning(owner, optimizer, self.regularizer, self.clipping)
        symbols = self.input_.symbols
        network = resolved(ready_network(self.network, symbols, self.input_, longest), reading)
        check_vocabulary(network, self.input_)
        most = longest_row(network)
        if most is not None and most < longest:
            raise ChainruleError(f"{owner}: the network has {most:,} positions; {longest:,} are needed")
        loss = CrossEntropy() if reading.length is None else SequenceCrossEntropy()
        made = Specification(network, loss, optimizer, reading, regularizers, self.clipping)
        found = solve_sizes(made.step.prediction_system, {}, partial=True).get(made.step.output.axes[-1])
        if len(made.step.output.axes) == 3 and found != symbols:
            raise ChainruleError(
                f"{owner}: the network gives {found} values at a position; {symbols} are needed, one for each "
                f"symbol: end it with PositionwiseDense({symbols}) or Unembedding()"
            )
        return made

    # --- measuring ----------------------------------------------------------------------------------------------------

    def loss(self, X: Any) -> float:
        """The mean of minus the logarithm of the probability of each next symbol, in nats a symbol.

        ``X`` is a text or a list of texts, as in training.
        """
        check_is_fitted(self, "parameters_")
        texts = self._texts(X)
        with self._threads():
            return self._loss_of(self._corpus(texts), self.parameters_)

    def _texts(self, X: Any) -> str | list[str]:
        """Texts of the kind that the model was trained on.  Raises ChainruleError for others."""
        texts = as_language(X)
        if self.learns_short_texts != isinstance(texts, list):
            learnt = "short texts" if self.learns_short_texts else "a running text"
            raise ChainruleError(f"the model was trained on {learnt}")
        return texts

    def _corpus(self, texts: str | list[str]) -> Corpus:
        """Texts to be measured on: all their windows, or all of them."""
        if isinstance(texts, list):
            return ShortTexts.of(self._numbers(texts))
        return Windows(self._numbers([texts])[0], self._longest, 1)

    def score(self, X: Any, y: None = None) -> float:
        """Minus the loss: the mean log-probability of a symbol, in nats."""
        return -self.loss(X)

    def _loss_of(self, corpus: Corpus, state: Mapping[str, Array]) -> float:
        step = self.specification_.step
        parameters = {name: state[name] for name in self._names()}
        measuring = program(step.evaluation, (step.cost,), backend=self.backend)
        total = symbols = 0.0
        for given, count in corpus.blocks(rows_at_once(step.evaluation)):
            total += float(measuring.run(given, dict(parameters))[step.cost]) * count
            symbols += count
        return total / symbols

    # --- generating ---------------------------------------------------------------------------------------------------

    def generate(
        self,
        prompt: Any = "",
        length: int = 100,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        beams: int | None = None,
        seed: int = 0,
        stop: str | None = None,
    ) -> Any:
        """The prompt and up to ``length`` symbols behind it; several texts for a list of prompts.

        ``temperature``: below 1 the probable becomes more probable, at 0 the most probable symbol is taken; ``top_k``:
        only so many symbols are drawn from; ``top_p``: only the fewest that have this probability together; ``beams``:
        the most probable text that a search with so many finds.  A text ends before ``stop``, and where a model of
        short texts says so.  A network with a limited number of positions sees the latest of them, at least the half.

        Raises ChainruleError naming a symbol of the prompt that the model does not know.
        """
        check_is_fitted(self, "parameters_")
        prompts = list(prompt) if isinstance(prompt, list | tuple) else [prompt]
        rows, count = [self._begun(text) for text in prompts], check_count("generate", "length", length)
        sampling = Sampling(temperature, top_k, top_p)
        if beams is not None and sampling != Sampling():
            raise ChainruleError("generate: beams draw nothing; leave temperature, top_k and top_p out")
        with self._threads():
            if beams is None:
                found = self._sampled(rows, count, sampling, seed, self._stop(stop))
            else:
                found = self._searched(rows, count, check_count("generate", "beams", beams))
        texts = [self._joined(text, row, stop) for text, row in zip(prompts, found, strict=True)]
        return texts if isinstance(prompt, list | tuple) else texts[0]

    @property
    def default_prompt(self) -> str:
        """What a text begins with where nothing else is said: a new line if the model knows it, else its most frequent
        symbol; nothing where short texts were learnt.
        """
        if self.learns_short_texts:
            return ""
        return "\n" if self.input_.unit != "word" and not self.input_.unknown("\n") else self.input_.text([FIRST])

    def _sampled(
        self, rows: list[list[int]], length: int, sampling: Sampling, seed: int, stop: Stop | None
    ) -> list[list[int]]:
        step, parameters = self._step()
        allowed = self._allowed()
        return sample(step, parameters, rows, length, sampling, allowed, stop=stop, seed=seed, backend=self.backend)

    def _searched(self, rows: list[list[int]], length: int, beams: int) -> list[list[int]]:
        step, parameters = self._step()
        allowed, end = self._allowed(), PADDING if self.learns_short_texts else None
        found = (
            beam_search(step, parameters, row, length, beams, allowed, end=end, backend=self.backend) for row in rows
        )
        return [list(best[0].symbols) for best in found]

    def _step(self) -> tuple[Stepping, dict[str, Array]]:
        """The network for one position, and its parameters."""
        step = stepping_of(self.specification_, self._longest)
        return step, {t.name: self.parameters_[t.name] for t in step.system.parameters}

    @property
    def _longest(self) -> int:
        """The positions of a window, or of the longest of short texts."""
        longest = self.training_.longest
        assert longest is not None
        return longest

    @property
    def learns_short_texts(self) -> bool:
        """Whether it was trained on short texts, each with its end, and not on a running text."""
        return self.specification_.reading.length is not None

    def _begun(self, prompt: object) -> list[int]:
        """The numbers of a prompt's symbols; where short texts were learnt, behind the symbol that begins them."""
        if not isinstance(prompt, str):
            raise ChainruleError(f"prompt: a text is wanted, not {prompt!r}")
        unknown = self.input_.unknown(prompt)
        if unknown:
            raise ChainruleError(
                f"prompt: the model knows no {self.input_.unit} {unknown[0]!r}; it was in no text it read"
            )
        numbers = [] if not prompt else self._numbers([prompt])[0].tolist()
        if not numbers and not self.learns_short_texts:
            raise ChainruleError(f"prompt: a running text goes on from at least one {self.input_.unit}; give one")
        return [PADDING, *numbers] if self.learns_short_texts else numbers

    def _allowed(self) -> Array:
        """1 for each symbol that may come: none that is unknown, and the end only where texts have one."""
        allowed = np.ones(self.input_.symbols)
        allowed[UNKNOWN] = 0
        allowed[PADDING] = float(self.learns_short_texts)
        return allowed

    def _stop(self, text: str | None) -> Stop | None:
        """Where a row of symbols ends: at the end symbol, or with the text after which nothing is wanted."""
        if text is None and not self.learns_short_texts:
            return None

        def ends(symbols: Sequence[int]) -> int | None:
            if self.learns_short_texts and PADDING in symbols:
                symbols = symbols[: symbols.index(PADDING)]
                return len(symbols)
            if text is not None and text in self.input_.text(symbols):
                return next(k for k in range(len(symbols) + 1) if text in self.input_.text(symbols[:k]))
            return None

        return ends

    def _joined(self, prompt: str, symbols: Sequence[int], stop: str | None) -> str:
        text = self.input_.text(symbols)
        text = text if stop is None else text.partition(stop)[0]
        return f"{prompt} {text}" if prompt and text and self.input_.unit == "word" else prompt + text

    # --- looking into it ----------------------------------------------------------------------------------------------

    def walk(self, X: Any, y: None = None, *, rate: float | None = None, window: int = 0) -> Walk:
        """A training step on short texts or on one window of a running text, ``window`` counting them from 0.

        Otherwise as that of ``Classifier``.
        """
        check_is_fitted(self, "parameters_")
        texts = self._texts(X)
        arrays = self._corpus(texts).whole()
        if not self.learns_short_texts:
            count = len(arrays["x"])
            if not 0 <= window < count:
                raise ChainruleError(f"the text has {count:,} windows, counted from 0; there is no window {window}")
            arrays = {name: array[window : window + 1] for name, array in arrays.items()}
        return self._walk(arrays, rate)

    def _described(self) -> str:
        return f"{self.input_.symbols - FIRST:,} {self.input_.unit}s"

    def training_arrays(self, X: Any) -> dict[str, Array]:  # type: ignore[override]
        """What the file of ``source()`` reads: the windows of a text side by side, or short texts, as rows."""
        arrays = self._corpus(as_language(X)).whole()
        sources = self.specification_.step.sources
        return {source: arrays[name] for name, source in sources.items()}


Corpus = Windows | ShortTexts


def as_language(X: Any) -> str | list[str]:
    """A running text or short texts: a ``str``, the ``Path`` of a file, or several texts.

    Raises ChainruleError for a file that cannot be read as text, and for what is no text.
    """
    if isinstance(X, Path):
        return read_text(X)
    if isinstance(X, str):
        return X
    return [str(text) for text in as_texts(X).texts]


def read_text(path: Path) -> str:
    """The text in a file in UTF-8.  Raises ChainruleError where there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ChainruleError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ChainruleError(f"{path}: no text in UTF-8 (byte {error.start + 1:,}); save the file as UTF-8") from None
    except OSError as error:
        raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if not text:
        raise ChainruleError(f"{path}: the file is empty")
    return text


@lru_cache(maxsize=32)
def stepping_of(specification: Specification, positions: int) -> Stepping:
    """One step of the network of a model, of which so many follow each other."""
    under, x = Reading.of({"t": positions}, "integer").compose()
    made = under.composed(specification.network.predicting.compose(under, x))
    return stepping(made.system, made.output.name)
