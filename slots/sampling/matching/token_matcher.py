"""TokenMatcher: what restricts the tokens of a request, one after the other."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class TokenMatcher(Protocol):
    """The interface of `grammar.matcher.Matcher`, which says what each member does, and of what wraps one."""

    @property
    def may_end(self) -> bool: ...

    @property
    def is_over(self) -> bool: ...

    @property
    def is_mask_expensive(self) -> bool: ...

    def mask(self) -> npt.NDArray[np.uint32]: ...

    def n_allowed(self) -> int: ...

    def allows(self, token: int) -> bool: ...

    def accept(self, token: int) -> None: ...

    def forced_tokens(self, max_tokens: int) -> list[int]: ...
