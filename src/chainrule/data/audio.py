"""Sound as rows: log-mel spectrograms or cepstral coefficients, x[b,t,c], and how many frames there are, length[b]."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.mel import cosines, log_mel
from chainrule.data.ragged import Ragged
from chainrule.data.recordings import Recordings, as_recordings
from chainrule.data.rule import ReadingRule
from chainrule.definition import check_count, check_number
from chainrule.equations.system import Role
from chainrule.errors import ChainruleError

Array = NDArray[Any]


class _SoundRule(ReadingRule):
    """Sound by frames of ``frame`` seconds, one every ``hop`` seconds; each rule has these arguments as its fields."""

    bands: int
    frame: float
    hop: float
    rate: int | None
    seconds: float | None

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        check_count(owner, "bands", self.bands)
        check_number(owner, "frame", self.frame, above=0)
        check_number(owner, "hop", self.hop, above=0)
        if self.rate is not None:
            check_count(owner, "rate", self.rate)
        if self.seconds is not None:
            check_number(owner, "seconds", self.seconds, low=self.frame)

    @abstractmethod
    def features(self, wave: Array, rate: int) -> Array:
        """What the network reads of a wave, before it is scaled, [t, c]."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """The size of c."""

    def _log_mel(self, wave: Array, rate: int) -> Array:
        return log_mel(wave, rate, self.frame, self.hop, self.bands, 0.0, rate / 2)

    def rows(self, X: Any) -> Recordings:
        return as_recordings(X)

    def fit(self, data: Any, weights: Array) -> SoundReader:
        rate = data.wave(0)[1] if self.rate is None else self.rate
        total, squares, frames, cut = np.zeros(self.channels), np.zeros(self.channels), 0.0, 0
        reader = SoundReader(self, rate, total, total + 1)
        for row, (wave, weight) in enumerate(zip(reader.waves(data), weights, strict=True)):
            cut += self.seconds is not None and len(wave) > self.seconds * rate
            found = reader.features(data.name(row), wave)
            total += weight * found.sum(axis=0)
            squares += weight * (found**2).sum(axis=0)
            frames += weight * len(found)
        mean = total / frames
        deviation = np.sqrt(np.maximum(squares / frames - mean**2, 0))
        constant = deviation < 1e-6 * np.maximum(1, np.abs(mean))
        if constant.all():
            raise ChainruleError("the recordings are silent: no band of any of them ever changes")
        deviation[constant] = 1.0
        if cut:
            warnings.warn(
                f"{cut:,} of {len(data):,} recordings are longer than {self.seconds:g} s and are cut there",
                UserWarning,
                stacklevel=4,  # whoever calls fit
            )
        return SoundReader(self, rate, mean, deviation)


@dataclass(frozen=True, repr=False)
class LogMel(_SoundRule):
    """Sound as the logarithms of its energies in ``bands`` of the mel scale, by frames of ``frame`` seconds, one every
    ``hop`` seconds; each band scaled to mean 0 and deviation 1.

    ``rate``: samples a second to which all recordings are brought; None: that of the first, and others are an error.
    ``seconds``: longer recordings are cut there.
    """

    source = "Davis, Mermelstein, Comparison of Parametric Representations for Word Recognition (1980), §II"

    bands: int = 40
    frame: float = 0.025
    hop: float = 0.010
    rate: int | None = None
    seconds: float | None = None

    @property
    def channels(self) -> int:
        return self.bands

    def features(self, wave: Array, rate: int) -> Array:
        return self._log_mel(wave, rate)


@dataclass(frozen=True, repr=False)
class MFCC(_SoundRule):
    """Sound as mel-frequency cepstral coefficients: the first ``coefficients`` of the cosine transform of what
    ``LogMel`` gives, each scaled to mean 0 and deviation 1.  The other arguments are those of ``LogMel``.
    """

    source = "Davis, Mermelstein, Comparison of Parametric Representations for Word Recognition (1980), eq. 1"

    coefficients: int = 13
    bands: int = 40
    frame: float = 0.025
    hop: float = 0.010
    rate: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("MFCC", "coefficients", self.coefficients)
        if self.coefficients > self.bands:
            raise ChainruleError(
                f"MFCC: {self.coefficients} coefficients of {self.bands} bands; there are at most as many"
            )

    @property
    def channels(self) -> int:
        return self.coefficients

    def features(self, wave: Array, rate: int) -> Array:
        return self._log_mel(wave, rate) @ cosines(self.bands, self.coefficients)


SOUND_RULES = {"LogMel": LogMel, "MFCC": MFCC}


@dataclass(frozen=True, eq=False)
class SoundReader:
    """Sound at ``rate`` samples a second by a rule, scaled by mean and deviation of each band [c]."""

    rule: _SoundRule
    rate: int
    mean: Array
    deviation: Array

    @property
    def sizes(self) -> Mapping[str, int | None]:
        return {"t": None, "c": len(self.mean)}

    @property
    def role(self) -> Role:
        return "data"

    @property
    def length(self) -> str:
        return "t"

    def waves(self, data: Recordings) -> Iterator[Array]:
        """The waves [n] of all rows at the reader's rate.

        Raises ChainruleError naming the first recording of another rate, unless the rule says to which to bring them.
        """
        for row in range(len(data)):
            wave, rate = data.wave(row)
            if rate != self.rate and self.rule.rate is None:
                raise ChainruleError(
                    f"{data.name(row)} has {rate:,} samples a second, the others {self.rate:,}; "
                    f"to bring all to one rate: reading={type(self.rule).__name__}(rate={min(rate, self.rate)})"
                )
            yield wave if rate == self.rate else resampled(wave, rate, self.rate)

    def features(self, name: str, wave: Array) -> Array:
        """What the network reads of a wave, before it is scaled, [t, c]; ``name``: the recording, for messages."""
        rule = self.rule
        if rule.seconds is not None:
            wave = wave[: round(rule.seconds * self.rate)]
        if len(wave) < round(rule.frame * self.rate):
            raise ChainruleError(f"{name}: {len(wave) / self.rate:.3g} s are too short; one frame has {rule.frame:g} s")
        return rule.features(wave, self.rate)

    def ragged(self, data: Any, dtype: Any = np.float32) -> Ragged:
        """The scaled frames of all rows, without padding."""
        if not isinstance(data, Recordings):
            raise ChainruleError("the model was trained on recordings; give a folder or a list of sound files")
        return Ragged.of(
            [
                ((self.features(data.name(row), wave) - self.mean) / self.deviation).astype(dtype)
                for row, wave in enumerate(self.waves(data))
            ]
        )

    def encode(self, data: Any, dtype: Any = np.float32) -> dict[str, Array]:
        """What the network reads: x[b,t,c] and length[b]."""
        return self.ragged(data, dtype).arrays()

    def lines(self) -> list[tuple[str, str]]:
        """How sound is read."""
        return [("sound", f"{self.rule!r} at {self.rate:,} samples a second, {len(self.mean)} numbers a frame")]

    def to_json(self) -> dict[str, Any]:
        arguments = {field.name: getattr(self.rule, field.name) for field in fields(self.rule)}
        return {
            "rule": type(self.rule).__name__,
            "arguments": arguments,
            "rate": self.rate,
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> SoundReader:
        rule = SOUND_RULES[data["rule"]](**data["arguments"])
        mean, deviation = np.array(data["mean"], dtype=float), np.array(data["deviation"], dtype=float)
        return SoundReader(rule, int(data["rate"]), mean, deviation)


def resampled(wave: Array, rate: int, wanted: int) -> Array:
    """The wave [n] at another number of samples a second, what that cannot hold filtered out."""
    # SciPy takes long to import; only recordings of another rate need it.
    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    return np.asarray(resample_poly(wave, wanted // common, rate // common))
