"""Taking the log out: as NDJSON, as CSV, or its audio as a zip of WAV files; of any filter, in the order of writing.

An NDJSON line has the entry's columns by their names, so that its leaf can be made again from the line alone: `id`,
those of `chain.HEADER_COLUMNS`, `erased_at`, `body_sha256`, `leaf` and `digest` (hexadecimal), and `message`.
"""

from echoadmin.log.export.asking import FORMATS, BadExport, Export, checked
from echoadmin.log.export.pieces import Piece, pieces

__all__ = ["FORMATS", "BadExport", "Export", "Piece", "checked", "pieces"]
