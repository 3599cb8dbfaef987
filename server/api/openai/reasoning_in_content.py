"""ReasoningInContent: thoughts in the content as well, between their tags: the reasoning format "deepseek-legacy"."""

from collections.abc import Iterable

from server.chat.tools.output_parser import ContentDelta, OutputDelta, OutputParser, ReasoningDelta
from server.chat.tools.reasoning import ReasoningTags


class ReasoningInContent:
    """Parses as `parser` does, and repeats the thoughts that it finds as content."""

    def __init__(self, parser: OutputParser, tags: ReasoningTags) -> None:
        self._parser = parser
        self._tags = tags
        self._is_open = False
        """Whether the content ends within the tags."""

    @property
    def ends_within_call(self) -> bool:
        return self._parser.ends_within_call

    def feed(self, text: str) -> list[OutputDelta]:
        return self._repeat(self._parser.feed(text))

    def finish(self) -> list[OutputDelta]:
        return self._repeat(self._parser.finish())

    def _repeat(self, deltas: Iterable[OutputDelta]) -> list[OutputDelta]:
        repeated: list[OutputDelta] = []
        for delta in deltas:
            if isinstance(delta, ReasoningDelta):
                start = "" if self._is_open else f"{self._tags.start}\n"
                repeated += [delta, ContentDelta(start + delta.text)]
                self._is_open = True
                continue
            if self._is_open:
                repeated.append(ContentDelta(f"\n{self._tags.end}\n\n"))
                self._is_open = False
            repeated.append(delta)
        return repeated
