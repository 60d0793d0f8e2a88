"""A transform job's DataProcessing: filter the input, join it to the answers, filter the result.

It applies to the records of one request: rows of CSV, lines of JSON, or one JSON document where nothing is split.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localmaker.services.sagemaker.jobs.failures import client_error
from localmaker.services.sagemaker.jobs.transform.jsonpath import JsonPath, JsonPathError, parse

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
FORMATS = (CSV, JSON, JSON_LINES)
OUTPUT_KEY, INPUT_KEY = "SageMakerOutput", "SageMakerInput"


@dataclass(frozen=True)
class DataProcessing:
    """The settings of DataProcessing.

    Attributes:
        joined: JoinSource is Input.
        input_format, output_format: media types without parameters.
        lines: a JSON body has one document on each line.
        assembled: a line end follows each stored result (AssembleWith Line).
    """

    input_filter: JsonPath
    output_filter: JsonPath
    joined: bool
    input_format: str
    output_format: str
    lines: bool
    assembled: bool

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> DataProcessing:
        """Read a CreateTransformJob request.

        Raises:
            JsonPathError: a filter is not valid.
        """
        settings = request.get("DataProcessing", {})
        source, target = request["TransformInput"], request["TransformOutput"]
        input_format = _media_type(source.get("ContentType", ""))
        return cls(
            parse(settings.get("InputFilter") or "$"),
            parse(settings.get("OutputFilter") or "$"),
            settings.get("JoinSource", "None") == "Input",
            input_format,
            _media_type(target.get("Accept", "")) or input_format,
            source.get("SplitType", "None") == "Line",
            target.get("AssembleWith", "None") == "Line",
        )

    @property
    def is_neutral(self) -> bool:
        """There is nothing to do."""
        return self.input_filter.is_root and self.output_filter.is_root and not self.joined

    def filter_input(self, body: bytes) -> bytes:
        """Return the part of a request's body that the model receives.

        Raises:
            JobFailure: the filter does not fit a record.
        """
        if self.input_filter.is_root:
            return body
        records = self._read(body, self.input_format)
        end = b"\n" if body.endswith(b"\n") else b""
        return self._write([self._select(self.input_filter, record) for record in records], self.input_format) + end

    def join(self, body: bytes, answer: bytes) -> bytes:
        """Return what is stored for a request's body and the model's answer to its filtered form.

        Raises:
            JobFailure: the numbers of answers and records differ, or the output filter does not fit.
        """
        if self.output_filter.is_root and not self.joined:
            return answer
        results = self._read(answer, self.output_format)
        if self.joined:
            records = self._read(body, self.input_format)
            if len(records) != len(results):
                raise client_error(
                    f"JoinSource is Input, but the model answered {len(results)} records to {len(records)}; "
                    "each record needs one answer."
                )
            results = [self._joined(record, result) for record, result in zip(records, results, strict=True)]
        end = b"\n" if answer.endswith(b"\n") and not self.assembled else b""
        return self._write([self._select(self.output_filter, result) for result in results], self.output_format) + end

    def _joined(self, record: Any, result: Any) -> Any:
        """Join one record with its result: a row followed by a row, or an object that contains the result."""
        if self.output_format == CSV:
            return [*record, *result]
        if isinstance(record, dict):
            return {**record, OUTPUT_KEY: result}
        return {INPUT_KEY: record, OUTPUT_KEY: result}

    def _read(self, body: bytes, media_type: str) -> Sequence[Any]:
        try:
            text = body.decode()
            if media_type == CSV:
                return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
            if media_type == JSON_LINES or self.lines:
                return [json.loads(line) for line in text.splitlines() if line.strip()]
            return [json.loads(text)]
        except (ValueError, csv.Error) as error:
            raise client_error(f"DataProcessing: a record is not {media_type}: {error}") from error

    def _write(self, records: Sequence[Any], media_type: str) -> bytes:
        if media_type != CSV:
            return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(
            record if isinstance(record, list) else [record] for record in records
        )
        return text.getvalue().removesuffix("\n").encode()

    def _select(self, path: JsonPath, record: Any) -> Any:
        try:
            return path.select(record)
        except JsonPathError as error:
            raise client_error(f"DataProcessing: {error}") from error


def _media_type(text: str) -> str:
    return text.split(";", 1)[0].strip().lower()
