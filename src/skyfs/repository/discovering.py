"""What could be made of what is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..model.dataid import DataId
from .asking import Asking
from .base import Collections
from .naming import collections_named, types_named

if TYPE_CHECKING:
    from ..querying.candidates import Candidates


class Discovering(Asking):
    """Tells what could be made."""

    def candidates(
        self,
        type_name: str,
        *,
        collections: Collections = None,
        inputs: str | Iterable[str] | None = None,
        **data_id: object,
    ) -> Candidates:
        """Give the datasets that could go into one that need not exist yet.

        These have the target's values of dimensions, or overlap it on the sky; besides, the calibrations
        that are valid for them. Provenance among them is added where it is recorded.

        Parameters
        ----------
        type_name
            The dataset type of the target.
        collections
            Where to look, as for `query`.
        inputs
            Dataset types to consider, names or globs. Default: all that the collections hold, but the
            target's.
        **data_id
            The target's values of dimensions.

        Raises
        ------
        NotFound
            When a type or collection does not exist, or a value of the data ID is not recorded.
        BadDataId
            When the data ID is incomplete or contradicts itself.
        """
        from ..querying.candidates import Search

        known = self.registry.current()
        target = known.type(type_name)
        row = self.registry.data_ids.complete(target.group, data_id)
        named = collections_named(known, self._searched(collections))
        held = self.registry.holdings.stored(known, known.flatten(named)).values()
        default = sorted({name for names in held for name in names} - {type_name})
        types = default if inputs is None else types_named(known, inputs)
        search = Search(self.registry, named)
        return search.find(target, DataId(target.group, row), [known.type(name) for name in types])
