"""The published MLP DTD in the form that libxml2 can validate with; `schemas/README.md` says what is changed."""

from __future__ import annotations

import io
import re
from pathlib import Path

from lxml import etree

SCHEMAS = Path(__file__).parent / "schemas"


def mlp_dtd() -> etree.DTD:
    """Load the DTD of 3.4.1 for documents of any version."""
    messages = (SCHEMAS / "MLP_v3_4_1.dtd").read_text()
    shapes = (SCHEMAS / "MLP_ID_QOP_RES_SHAPE_v3_4.dtd").read_text()
    messages = re.sub(r"<!ENTITY\s+% mlp_id_qop_res_shape\.dtd\s+SYSTEM[^>]*>", "", messages)
    whole = messages.replace("%mlp_id_qop_res_shape.dtd;", shapes)
    whole = whole.replace("(shape | civicloc | (shape, civicloc))", "((shape, civicloc?) | civicloc)")
    whole = whole.replace("(shape | (shape, civicloc) | civicloc | cc", "((shape, civicloc?) | civicloc | cc")
    whole = whole.replace('#FIXED "3.4.0"', "#REQUIRED")
    return etree.DTD(io.StringIO(whole))
