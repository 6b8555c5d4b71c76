from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from recsys.core.task import FeatureSpec
from recsys.models.boosted import BoosterConfig, grow
from recsys.models.encoding import Encoder, Floats, numbers


def strongest(
    specs: Sequence[FeatureSpec],
    frames: Iterable[pd.DataFrame],
    y: Floats,
    weight: Floats,
    booster: BoosterConfig,
    *,
    keep: int,
    always: Collection[str] = (),
) -> tuple[FeatureSpec, ...]:
    """Choose the numbers that gain most in a quick first ensemble; trees and regressions on fewer are faster.

    frames: values of the rows that screen, one frame a cutoff, stacked; y: (n,) 0 or 1; weight: (n,).
    keep: so many at most, and those named in `always` beside them. In the order of specs; all where there are no more.
    """
    candidates = numbers(specs)
    if len(candidates) <= keep:
        return candidates
    frames = tuple(frames)
    quick = grow(Encoder.learn(candidates, frames), frames, y, booster, weight)
    kept = {*list(quick.gain())[:keep], *always}
    return tuple(spec for spec in candidates if spec.name in kept)
