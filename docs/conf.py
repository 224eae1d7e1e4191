"""Sphinx's configuration: ``make docs`` builds the site into build/docs."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import tempfile

import click
from sphinx.application import Sphinx

import skyfs

project = "skyfs"
author = "The skyfs developers"
copyright = author  # noqa: A001 - Sphinx's name
version = release = skyfs.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]

# ------------------------------------------------------------------------------------ pages and notebook
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The page is made of what the notebook prints; its cells run in a folder of their own.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 60
nb_execution_raise_on_error = True
logging.getLogger("traitlets").setLevel(logging.WARNING)
# Cells make a repository with a name: not in the index of whoever builds the site.
_home = tempfile.TemporaryDirectory()
os.environ |= {"HOME": _home.name, "SKYFS_INDEX": os.path.join(_home.name, "index.yaml")}
# The kernel warns that it listens on this machine's own interface without encryption.
_profile = pathlib.Path(_home.name, ".ipython", "profile_default")
_profile.mkdir(parents=True)
(_profile / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40")

# --------------------------------------------------------------------------------------------- reference
default_role = "py:obj"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

nitpicky = True
nitpick_ignore_regex = [
    # What other libraries name: their inventories are far away. All that is written in Markdown is checked.
    (r"py:.*", r"(?!skyfs\.).*"),
    # Inner rooms, which signatures name and no user needs.
    (r"py:class", r"skyfs\.(registry|fs|stores)\..*"),
    (r"py:class", r"skyfs\.instruments\.(keywords|definition)\..*"),
    (r"py:class", r"skyfs\.(formats\.catalog|model\.ranges|lifecycle\.from_paths)\..*"),
    (r"py:class", r"skyfs\.testing\.filesystem_sample\..*"),
]

# ------------------------------------------------------------------------------------------------ looks
html_theme = "furo"
html_title = f"skyfs {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True

linkcheck_timeout = 20
linkcheck_ignore = [r"file:.*", r"https?://(.*\.)?example\.(org|com)", r"http://(localhost|127\.0\.0\.1).*"]


def setup(app: Sphinx) -> None:
    """Mend two texts that would be misread."""
    app.connect("sphinx-click-process-options", _escape_stars)
    app.connect("autodoc-process-docstring", _join_attributes, priority=400)  # before napoleon


def _escape_stars(_app: Sphinx, _context: click.Context, lines: list[str]) -> None:
    """Help texts of commands are plain text, which may have single stars in it."""
    lines[:] = [re.sub(r"(?<!\*)\*(?!\*)", r"\*", line) for line in lines]


def _join_attributes(*arguments: object) -> None:
    """Of attributes that share a description napoleon would take the second for a type."""
    lines = arguments[-1]
    assert isinstance(lines, list)  # noqa: S101 - autodoc's last argument
    begin = lines.index("Attributes") if "Attributes" in lines else len(lines)
    for number, line in enumerate(lines[begin:], begin):
        if re.fullmatch(r"\w+(, \w+)+", line):
            lines[number] = line.replace(", ", ",")
