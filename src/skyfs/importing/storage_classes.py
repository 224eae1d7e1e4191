"""Which storage classes of ours those of the Rubin data butler become.

The left column is the butler's name. A name that the repository knows itself is kept; one that stands
nowhere becomes ``Bytes``, which any file can be read as.
"""

from __future__ import annotations

from collections.abc import Callable

_TABLE = """
    Exposure                 Exposure
    ExposureF                Exposure
    ExposureI                Exposure
    ExposureU                Exposure
    MaskedImage              Exposure
    MaskedImageF             Exposure
    MaskedImageI             Exposure
    MaskedImageU             Exposure
    MaskedImageV2            Exposure
    VisitImage               Exposure
    CellCoadd                Exposure
    ImageF                   Image
    ImageI                   Image
    ImageU                   Image
    ImageV2                  Image
    DecoratedImage           Image
    DecoratedImageU          Image
    Mask                     Image
    MaskX                    Image
    MaskV2                   Image

    Stamps                   Hdus
    StampsBase               Hdus
    MultipleCellCoadd        Hdus
    BrighterFatterKernel     Hdus
    CrosstalkCalib           Hdus
    Linearizer               Hdus
    PhotonTransferCurveDataset  Hdus
    IsrCalib                 Hdus
    QECurve                  Hdus
    Defects                  Hdus
    Camera                   Hdus
    Background               Hdus
    TransmissionCurve        Hdus
    HealSparseMap            Hdus

    DataFrame                Table
    ArrowTable               Table
    ArrowAstropy             Table
    ArrowNumpy               Table
    ArrowNumpyDict           Table
    AstropyTable             Table
    AstropyQTable            Table
    Catalog                  Table
    SourceCatalog            Table
    SimpleCatalog            Table
    ExposureCatalog          Table
    PeakCatalog              Table

    StructuredDataDict       Dict
    StructuredDataList       List
    TaskMetadata             Dict
    Packages                 Dict
    PropertySet              Dict
    PropertyList             Dict
    MetricValue              Dict
    MetricMeasurementBundle  Dict
    ButlerLogRecords         List

    NumpyArray               Array
    Config                   Text
    StructuredDataText       Text
"""

RUBIN: dict[str, str] = dict(line.split() for line in _TABLE.splitlines() if line)

# What holds a class when the repository does not have it.
_NEXT = {"Exposure": "Hdus", "Image": "Hdus"}


def ours(name: str, known: Callable[[str], bool]) -> str:
    """Give the storage class of the repository for one of an export."""
    found = name if known(name) else RUBIN.get(name, "Bytes")
    while not known(found):
        found = _NEXT.get(found, "Bytes")
    return found
