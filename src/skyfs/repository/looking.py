"""Looking at a repository and at what is in it."""

from __future__ import annotations

from ..looks import Picture
from ..looks.cards import in_words
from ..model.dataset import DatasetRef, Resolved
from ..model.markup import Html
from ..model.paths import parse
from .asking import Asking
from .collecting import Collecting
from .defining import Defining


class Looking(Defining, Collecting, Asking):
    """Shows what there is to people."""

    def show(self, dataset: str | DatasetRef | Resolved) -> Picture:
        """Give a picture of a dataset; a notebook shows it.

        Parameters
        ----------
        dataset
            A reference, or a path, which may name a component or a part: ``...20.fits[1:500,1:500]``.

        Raises
        ------
        Unsupported, BadArgument
            When it is no image of two axes, or the part does not fit it.
        NotFound, NoBytes, StoreError, BadContent
            As `get`.
        """
        if isinstance(dataset, str):
            address = parse(dataset)
            named = self._at(address)
            return Picture(dataset, self.pictures.png(named.resolved, named.component, address.selectors))
        resolved = self._resolved(dataset, None, None, {})
        return Picture(str(resolved.ref), self.pictures.png(resolved))

    def _repr_html_(self) -> str:
        return in_words(self.name, self._card)

    def _card(self) -> Html:
        universe = self.registry.universe
        about = {
            "folder": self.root,
            "opened for": "writing" if self.writable else "reading",
            "universe": f"{universe.name} {universe.version} ({universe.namespace})",
            "registry": self.config.registry_shown,
        }
        if self.collections_searched:
            about["searches"] = ", ".join(self.collections_searched)
        return Html(self.looks.html_of_repository(self.name, about, self.collections(), self.types()))
