"""The serving program under gunicorn: sagemaker-inference's request handling around the model's own functions.

Stands for the model server of the image, which hands a body and its headers to the same ``Transformer``.
"""

from sagemaker_inference.transformer import Transformer

_transformer = Transformer()


class _Context:
    """What a model server tells the toolkit of a request, and is told of the answer."""

    def __init__(self, headers):
        self.system_properties = {"model_dir": "/opt/ml/model"}
        self.request_processor = [self]
        self.status, self.kind = "200 OK", ""
        self._headers = headers

    def get_request_properties(self):
        return self._headers

    def set_response_status(self, code, phrase):
        self.status = f"{code} {phrase}"

    def set_response_content_type(self, _request, kind):
        self.kind = kind


def app(environ, start_response):
    context = _Context({"Content-Type": environ["CONTENT_TYPE"], "Accept": environ.get("HTTP_ACCEPT", "")})
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    (answer,) = _transformer.transform([{"body": body}], context)
    start_response(context.status, [("Content-Type", context.kind)])
    return [answer.encode() if isinstance(answer, str) else answer]
