"""The endpoint killed at a random moment: what it has acknowledged is there afterwards, and nothing else."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from localmaker.daemon import EndpointHandle, running_endpoint

KEYS = 12


class Writer(threading.Thread):
    """A client that writes objects and sends messages until the endpoint is gone.

    Attributes:
        objects: key → what was acknowledged last (None: a deletion).
        unsure: key → what was under way when the endpoint died; it may have been done or not.
        messages: bodies of acknowledged messages.
    """

    def __init__(self, endpoint: EndpointHandle, queue: str, name: str, draw: random.Random) -> None:
        super().__init__(name=name)
        self._s3, self._sqs, self._queue = endpoint.client("s3"), endpoint.client("sqs"), queue
        self._draw = draw
        self.objects: dict[str, bytes | None] = {}
        self.unsure: dict[str, bytes | None] = {}
        self.messages: list[str] = []

    def run(self) -> None:
        try:
            for number in range(100_000):
                self._write(number)
        except Exception:  # noqa: BLE001 - whatever a client sees when the endpoint dies
            return

    def _write(self, number: int) -> None:
        key = f"{self.name}/{self._draw.randrange(KEYS)}"
        what = self._draw.choice(("put", "put", "put", "large", "delete", "send"))
        if what == "send":
            body = f"{self.name}-{number}"
            self._sqs.send_message(QueueUrl=self._queue, MessageBody=body)
            self.messages.append(body)
            return
        content = None if what == "delete" else str(number).encode() * (40_000 if what == "large" else 1)
        self.unsure[key] = content
        if content is None:
            self._s3.delete_object(Bucket="bbb", Key=key)
        else:
            self._s3.put_object(Bucket="bbb", Key=key, Body=content)
        self.objects[key] = content
        del self.unsure[key]


def kill(endpoint: EndpointHandle) -> None:
    process = psutil.Process(endpoint.running.pid)
    os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=30)


def stored(s3: Any, key: str) -> bytes | None:
    try:
        return bytes(s3.get_object(Bucket="bbb", Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None


@pytest.mark.randomised("kills")
def test_what_was_acknowledged_is_there_and_nothing_else(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    with running_endpoint(tmp_path) as first:
        first.client("s3").create_bucket(Bucket="bbb")
        queue = first.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        writers = [Writer(first, queue, f"w{index}", random.Random((seed, index).__repr__())) for index in range(3)]
        for writer in writers:
            writer.start()
        time.sleep(draw.uniform(0.2, 1.5))
        kill(first)
        for writer in writers:
            writer.join(60)
    with running_endpoint(tmp_path) as second:
        s3, sqs = second.client("s3"), second.client("sqs")
        for writer in writers:
            for key in {*writer.objects, *writer.unsure}:
                possible = {writer.objects.get(key)} | ({writer.unsure[key]} if key in writer.unsure else set())
                assert stored(s3, key) in possible, key
        queue = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        acknowledged = {body for writer in writers for body in writer.messages}
        received: list[str] = []
        while answer := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            received += [message["Body"] for message in answer]
        assert acknowledged <= set(received)
        assert len(received) == len(set(received)), "a message came twice"
        assert len(received) <= len(acknowledged) + len(writers)
