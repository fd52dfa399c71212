"""What a server offers, made from its models' signatures: OpenAPI documents and a page to read.

`document` is for machines, of one model or of all; `page` for people. Both are computed when
asked for and import nothing but this package.
"""

from predictors.serving.openapi.document import document
from predictors.serving.openapi.examples import v1_example, v2_example
from predictors.serving.openapi.page import contents, page

__all__ = ["contents", "document", "page", "v1_example", "v2_example"]
