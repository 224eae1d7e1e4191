"""All formats and storage classes of a repository, and what can be done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO, Self

from skyfs.abc.contents import Contents
from skyfs.abc.format import Cuts, Format, HasHeader, ReadsComponents, ReadsSlices, ShowsContents
from skyfs.abc.source import ByteSource
from skyfs.errors import (
    BadArgument,
    BadConfig,
    BadContent,
    BadDefinition,
    UnknownFormat,
    Unsupported,
    nearest,
)
from skyfs.model.selectors import Selector
from skyfs.model.storage import StorageClass

from . import entry_points
from .composites import check_assembles, put_together, take_apart
from .conversion import Converters, resolve_type
from .loading import load_class, load_object
from .raw import Raw
from .recoding import Exports, carriers
from .settings import Settings, default_settings, parse_settings
from .slicing import refuse_text, sliced

_BYTES = "Bytes"


class Formats:
    """What reads and writes datasets. Immutable after `load`, and safe from several threads.

    Storage class ``Bytes`` goes with every extension: it reads and writes the file's bytes unseen.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._built: dict[str, Format] = {}
        own = {c.python_type: c.converters for c in settings.storage_classes.values() if c.converters}
        targets = {**own, **settings.converters}
        self._converters = Converters(
            {t: {**settings.converters.get(t, {}), **own.get(t, {})} for t in targets}
        )

    @classmethod
    def load(cls, config: Mapping[str, object] | None = None) -> Self:
        """Combine built-in formats, those of installed packages, and a ``formats:`` section; later ones win.

        Parameters
        ----------
        config
            The repository's section: ``storage_classes``, ``formats``, ``types``, ``converters``.

        Raises
        ------
        BadConfig
            When the section has unknown keys, ill-typed values or names that do not exist.
        """
        formats = cls(parse_settings(config).over(default_settings()))
        formats._check_names()
        return formats

    @property
    def extensions(self) -> tuple[str, ...]:
        """All extensions, sorted; with their leading dot, ``""`` for none."""
        return tuple(sorted({*self._settings.formats, *entry_points.discover()}))

    @property
    def storage_classes(self) -> tuple[str, ...]:
        """Names of all storage classes, sorted."""
        return tuple(sorted(self._settings.storage_classes))

    def knows(self, extension: str) -> bool:
        """Tell whether a format has this extension; nothing is loaded."""
        return extension in self._settings.formats or extension in entry_points.discover()

    def is_folder(self, extension: str) -> bool:
        """Tell whether paths show a dataset of this extension as a folder of files; nothing is loaded."""
        rule = self._settings.formats.get(extension)
        return rule is not None and rule.folder

    def format(self, extension: str) -> Format:
        """Give the format of an extension, loading it when it is first used.

        Raises
        ------
        UnknownFormat
            When no format has it.
        BadConfig, MissingPackage
            When the class that the configuration or an entry point names cannot be loaded.
        """
        built = self._built.get(extension)
        if built is None:
            built = self._built[extension] = self._build(extension)
        return built

    def storage_class(self, name: str) -> StorageClass:
        """Give a storage class by name.

        Raises
        ------
        BadDefinition
            When there is none of that name.
        """
        try:
            return self._settings.storage_classes[name]
        except KeyError:
            raise BadDefinition(
                f"storage class {name!r}", "unknown", nearest(repr(name), map(repr, self.storage_classes))
            ) from None

    def extension_for(self, storage_class: str, type_name: str | None = None) -> str:
        """Give the extension in which new datasets are written: the type's, else the storage class's.

        Raises
        ------
        BadDefinition
            When the storage class is unknown, or nothing says how to store it.
        """
        rule = self._settings.types.get(type_name) if type_name is not None else None
        if rule is not None and rule.extension is not None:
            return rule.extension
        self.storage_class(storage_class)
        extension = self._settings.class_rules[storage_class].extension
        if extension is None:
            raise BadDefinition(
                f"storage class {storage_class!r}",
                "it has no extension",
                f"set it in storage_classes: {storage_class}:",
            )
        return extension

    def disassembles(self, storage_class: str, type_name: str) -> bool:
        """Tell whether components of new datasets are stored as files of their own."""
        of_type, of_class = self._settings.types.get(type_name), self._settings.class_rules.get(storage_class)
        for rule in (of_type, of_class):
            if rule is not None and rule.disassemble is not None:
                return rule.disassemble
        return False

    def components(self, storage_class: str) -> Mapping[str, str]:
        """Give the names of the components of a storage class, and their own storage classes."""
        return self.storage_class(storage_class).components

    def component_class(self, storage_class: str, component: str) -> str:
        """Give the storage class of a component.

        Raises
        ------
        BadArgument
            When the storage class has no such component.
        """
        components = self.components(storage_class)
        if component not in components:
            known = ", ".join(components) or "none"
            asked = f"component {component!r} of {storage_class}"
            raise BadArgument(asked, "unknown", f"components are: {known}")
        return components[component]

    def storage_class_for(self, extension: str) -> str:
        """Give the most general storage class of an extension; raises as `format`."""
        return self.format(extension).storage_classes[0]

    def read(
        self, source: ByteSource, extension: str, storage_class: str, as_: type | str | None = None
    ) -> object:
        """Read a dataset.

        Parameters
        ----------
        source
            Its bytes; the caller closes it, the object does not need it after.
        extension
            How they are stored.
        storage_class
            Decides the Python type, unless ``as_`` does.
        as_
            Another Python type, its dotted name, or one of ``pandas``, ``arrow``, ``numpy``, ``table``.

        Raises
        ------
        BadContent
            When the bytes are damaged or of another format.
        BadArgument
            When no converter leads to ``as_``.
        Unsupported
            When the format cannot give the storage class.
        """
        if as_ is not None:
            resolve_type(as_)  # before the bytes are read
        return self.convert_to(self._read(source, extension, storage_class), as_)

    def write(
        self,
        value: object,
        file: BinaryIO,
        extension: str,
        storage_class: str,
        type_name: str | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """Write a dataset, converting the object to the storage class's Python type when it is another.

        Parameters
        ----------
        value
            The object; it is not changed.
        file
            Seekable and binary; the caller closes it.
        extension
            How to store it; writer options are those configured for it.
        storage_class
            What it is.
        type_name
            The dataset type, whose own writer options win.
        options
            More of them, which win over all.

        Raises
        ------
        BadArgument
            When the object cannot be converted, or cannot be expressed in the format.
        Unsupported
            When the format cannot hold the storage class.
        """
        value = self._converters.convert(value, self._python_type(storage_class))
        if storage_class == _BYTES:
            self._known(extension)
            Raw().write(value, file, {})
            return
        carrier = self._carrier(extension, storage_class)
        if carrier != storage_class:
            value = self._converters.convert(value, self._python_type(carrier))
        chosen = {**self._options(extension, storage_class, type_name), **(options or {})}
        self.format(extension).write(value, file, chosen)

    def convert_to(self, value: object, as_: type | str | None) -> object:
        """Give an object as another Python type; as it is with None. Raises as `read`."""
        return value if as_ is None else self._converters.convert(value, resolve_type(as_))

    def read_slices(
        self,
        source: ByteSource,
        extension: str,
        storage_class: str,
        slices: object,
        as_: type | str | None = None,
    ) -> object:
        """Read what ``whole[slices]`` is of an array, image or table (its rows); parameters as `read`.

        Raises
        ------
        BadArgument
            When the slices do not fit, or are of another kind than numpy's basic indexing.
        Unsupported
            When objects of the storage class have no slices.
        BadContent
            When the bytes are damaged.
        """
        refuse_text(slices)
        found = self.format(extension)
        carrier = _BYTES if storage_class == _BYTES else self._carrier(extension, storage_class)
        if isinstance(found, ReadsSlices) and carrier != _BYTES:
            value = found.read_slices(source, carrier, slices)
            if carrier != storage_class:
                value = self._converters.convert(value, self._python_type(storage_class))
        else:
            value = sliced(self._read(source, extension, storage_class), slices)
        return self.convert_to(value, as_)

    def read_component(self, source: ByteSource, extension: str, storage_class: str, name: str) -> object:
        """Read a component of a dataset, alone where the format can; else as `component` of the whole."""
        own_class = self.component_class(storage_class, name)
        reader: object = self.format(extension) if self.knows(extension) else None
        if isinstance(reader, ReadsComponents):
            try:
                part = reader.read_component(source, storage_class, name)
            except Unsupported:
                # Of this storage class the format reads no parts.
                pass
            else:
                return None if part is None else self._converters.convert(part, self._python_type(own_class))
        return self.component(self._read(source, extension, storage_class), storage_class, name)

    def can_cut(self, extension: str) -> bool:
        """Tell whether selectors cut parts from files of an extension."""
        return self.knows(extension) and isinstance(self.format(extension), Cuts)

    def cut(self, source: ByteSource, extension: str, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write the part of a file that selectors name, as a file of the same extension.

        Raises
        ------
        BadArgument
            When the selectors do not fit this file; the message says what is there.
        Unsupported
            When no selectors, or not these, cut files of the extension.
        BadContent
            When the bytes are damaged.
        """
        found = self.format(extension)
        if not isinstance(found, Cuts):
            kinds = ", ".join(one for one in self.extensions if one and self.can_cut(one))
            asked = f"selector {''.join(map(str, selectors))} of a {extension!r} file"
            raise Unsupported(asked, "no selectors cut such files", f"they cut {kinds}")
        found.cut(source, selectors, file)

    def check(self, source: ByteSource, extension: str) -> None:
        """Raise BadContent when the bytes are visibly truncated or of another format."""
        self.format(extension).check(source)

    def require(self, extension: str, storage_class: str) -> None:
        """Raise when no file of the extension can hold the storage class.

        Raises
        ------
        Unsupported
            When the format cannot hold it.
        UnknownFormat
            When no format has the extension.
        """
        if storage_class == _BYTES:
            self._known(extension)
        else:
            self._carrier(extension, storage_class)

    def component(self, value: object, storage_class: str, name: str) -> object:
        """Give a part of an object, as the Python type of the part's storage class; None when it has none.

        Raises
        ------
        BadArgument
            When the storage class has no such component.
        """
        own_class = self.component_class(storage_class, name)
        part = take_apart(self.storage_class(storage_class), value, name)
        return None if part is None else self._converters.convert(part, self._python_type(own_class))

    def disassemble(self, storage_class: str, value: object) -> dict[str, tuple[str, object]]:
        """Give component → its storage class and object, of all components that the object has.

        The object is converted first to the storage class's Python type. `assemble` is the inverse.

        Raises
        ------
        Unsupported
            When the storage class cannot be put together from components.
        BadArgument
            When the object cannot be converted.
        """
        whole = self.storage_class(storage_class)
        check_assembles(whole)
        value = self._converters.convert(value, self._python_type(storage_class))
        parts = {name: self.component(value, storage_class, name) for name in whole.components}
        return {name: (whole.components[name], part) for name, part in parts.items() if part is not None}

    def assemble(self, storage_class: str, parts: Mapping[str, object]) -> object:
        """Put an object together from its components: those that `disassemble` gave.

        Raises
        ------
        Unsupported
            When the storage class cannot be put together from components.
        BadArgument
            When there are unknown components, or one without which there is no whole is missing.
        """
        return put_together(self.storage_class(storage_class), parts)

    def can_convert(self, extension: str, storage_class: str, to_extension: str) -> bool:
        """Tell whether `convert` can be tried; whether a FITS file has a table, only its bytes tell."""
        if not (self.knows(extension) and self.knows(to_extension)):
            return False
        if extension == to_extension:
            return True
        if self.shows(extension, to_extension):
            return True
        return any(carriers(self.format(extension), storage_class, self.format(to_extension)))

    def shows(self, extension: str, to_extension: str) -> bool:
        """Tell whether `contents` takes files of the first extension as the second."""
        found = self.format(to_extension)
        return isinstance(found, ShowsContents) and found.shows(extension)

    def contents(self, source: ByteSource, extension: str, to_extension: str) -> Contents:
        """Find what lies inside of a file when it is seen as a tree, reading little.

        Raises
        ------
        Unsupported
            When the second extension is of no trees, or this file cannot be seen so.
        BadContent
            When the bytes are damaged.
        """
        found = self.format(to_extension)
        if not (isinstance(found, ShowsContents) and found.shows(extension)):
            raise Unsupported(
                f"the inside of a {extension!r} file as {to_extension!r}", "there is no such view"
            )
        return found.contents(source, extension)

    def convert(
        self,
        source: ByteSource,
        extension: str,
        storage_class: str,
        to_extension: str,
        file: BinaryIO,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """Write the same dataset in another format, or in its own with other writer options.

        Tables and images keep what both formats can express; pictures and header dumps are for looking at.

        Raises
        ------
        Unsupported
            When no conversion leads there, or this dataset has nothing that the target can show.
        BadContent
            When the bytes are damaged.
        """
        if extension == to_extension and not options:
            self._known(extension)
            file.write(source.read_all())
            return
        if self._pack(source, extension, to_extension, file):
            return
        origin, target = self.format(extension), self.format(to_extension)
        failure: BadContent | None = None
        for carrier, exported in carriers(origin, storage_class, target):
            try:
                value = origin.read(source, carrier)
            except BadContent as error:
                # A sound FITS file without a table may still have an image.
                origin.check(source)
                failure = failure or error
                continue
            if exported and isinstance(target, Exports):
                target.export(value, file)
            else:
                target.write(value, file, {**self._options(to_extension, carrier, None), **(options or {})})
            return
        asked = f"{storage_class} stored as {extension!r} cannot be shown as {to_extension!r}"
        raise Unsupported(asked, failure.asked if failure else "no conversion is known") from failure

    def _pack(self, source: ByteSource, extension: str, to_extension: str, file: BinaryIO) -> bool:
        """Write what a view of the file shows; False when there is none."""
        target = self.format(to_extension)
        if not (isinstance(target, ShowsContents) and target.shows(extension)):
            return False
        try:
            contents = target.contents(source, extension)
        except Unsupported:
            return False
        target.pack(contents, source, file)
        return True

    def header(self, source: ByteSource, extension: str) -> Mapping[str, object]:
        """Give the main keywords of a file.

        Raises
        ------
        Unsupported
            When the format has none.
        BadContent
            When the bytes are damaged.
        """
        found = self.format(extension)
        if not isinstance(found, HasHeader):
            raise Unsupported(f"header of a {extension!r} file", "the format has no header")
        return found.header(source)

    def document(self, source: ByteSource, extension: str) -> object:
        """Give the mapping or list that a document is.

        Raises
        ------
        Unsupported
            When files of the format are no documents.
        BadContent
            When the bytes are damaged.
        """
        found = self.format(extension)
        if not {"Dict", "List"} <= set(found.storage_classes):
            raise Unsupported(f"the document in a {extension!r} file", "the format has none")
        try:
            return found.read(source, "Dict")
        except BadContent:
            # It is a list, or damaged as a list too.
            return found.read(source, "List")

    def _read(self, source: ByteSource, extension: str, storage_class: str) -> object:
        python_type = self._python_type(storage_class)
        if storage_class == _BYTES:
            self._known(extension)
            return source.read_all()
        carrier = self._carrier(extension, storage_class)
        value = self.format(extension).read(source, carrier)
        return value if carrier == storage_class else self._converters.convert(value, python_type)

    def _carrier(self, extension: str, storage_class: str) -> str:
        """Give the storage class that the format handles and from which converters lead to the wanted one."""
        known = self.format(extension).storage_classes
        if storage_class in known:
            return storage_class
        wanted = self._python_type(storage_class)
        for name in known:
            if name != _BYTES and self._converters.leads(self._python_type(name), wanted):
                return name
        raise Unsupported(
            f"storage class {storage_class!r} in a {extension!r} file",
            f"the format holds {', '.join(known)}",
            f"store it as {self.extension_for(storage_class)!r}",
        )

    def _python_type(self, storage_class: str) -> type:
        return load_class(self.storage_class(storage_class).python_type, f"storage class {storage_class!r}")

    def _options(self, extension: str, storage_class: str, type_name: str | None) -> Mapping[str, object]:
        """Combine the options of format, storage class and type; the latter two go with their extension."""
        rule = self._settings.formats.get(extension)
        options = dict(rule.options) if rule is not None else {}
        of_class = self._settings.class_rules.get(storage_class)
        of_type = self._settings.types.get(type_name) if type_name is not None else None
        for writing in (of_class, of_type):
            if writing is not None and writing.options and writing.extension in (None, extension):
                options.update(writing.options)
        return options

    def _known(self, extension: str) -> None:
        if not self.knows(extension):
            todo = nearest(repr(extension), map(repr, self.extensions))
            raise UnknownFormat(f"extension {extension!r}", "no format has it", todo)

    def _build(self, extension: str) -> Format:
        self._known(extension)
        rule = self._settings.formats.get(extension)
        points = entry_points.discover().get(extension, ())
        # An installed package replaces a built-in format; the repository's own section replaces both.
        built_in = rule is not None and default_settings().formats.get(extension) is rule
        if points and (rule is None or built_in):
            wanted_by = entry_points.describe(points[0])
            found = entry_points.load_entry_point(extension, points)
        else:
            wanted_by = f"formats: formats: {extension!r}"
            found = load_object(rule.class_name if rule is not None else "", wanted_by)
        if not isinstance(found, type) or not issubclass(found, Format):
            raise BadConfig(wanted_by, f"{found!r} is no class derived from skyfs.abc.format.Format")
        try:
            return found()
        except TypeError as error:
            raise BadConfig(wanted_by, f"{found.__name__} cannot be made: {error}") from error

    def _check_names(self) -> None:
        """Find names that lead nowhere when the configuration is read, not when a dataset is."""
        rules = {**self._settings.class_rules, **self._settings.types}
        for name, rule in rules.items():
            if rule.extension is not None and not self.knows(rule.extension):
                hint = nearest(repr(rule.extension), map(repr, self.extensions))
                raise BadConfig(f"formats: {name}: extension", f"no format has {rule.extension!r}", hint)
        for storage_class in self._settings.storage_classes.values():
            for part in storage_class.components.values():
                if part not in self._settings.storage_classes:
                    hint = nearest(repr(part), map(repr, self.storage_classes))
                    raise BadConfig(
                        f"formats: storage class {storage_class.name}", f"no storage class {part!r}", hint
                    )
