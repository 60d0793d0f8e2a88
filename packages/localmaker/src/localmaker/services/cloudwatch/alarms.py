"""A patch of moto: alarms are evaluated, and act when their state changes.

- moto: an alarm is OK for ever, unless SetAlarmState says otherwise; nobody is told, and there is no history.
- CloudWatch: an alarm begins with INSUFFICIENT_DATA and follows its metric. A change of its state publishes an event,
  sends a message to its topics, and is in its history.
- Replaced: ``Alarm.update_state``, ``CloudWatchBackend.put_metric_alarm`` and ``put_metric_data`` of
  ``moto.cloudwatch.models``; added: ``CloudWatchResponse.describe_alarm_history``.

Alarms of metric mathematics, percentiles, anomalies and other alarms are stored, and not evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse

from localmaker.ports import CurrentRequest, current_request
from localmaker.services.cloudwatch.evaluation import (
    INSUFFICIENT_DATA,
    OPERATORS,
    STATISTICS,
    Datum,
    Decision,
    Rule,
    evaluate,
    reason_data,
)
from localmaker.services.cloudwatch.history import describe_alarm_history, note
from localmaker.services.cloudwatch.messages import State, alarm_event, topic_message
from localmaker.services.events.bus import EventBridge
from localmaker.services.events.delivery import outgoing
from localmaker.services.events.targets import Matched
from localmaker.state.changes import Change, only_looking
from localmaker.state.moto_state import MotoState

_moto_put_alarm = CloudWatchBackend.put_metric_alarm
_moto_put_data = CloudWatchBackend.put_metric_data
_TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
_SHORT_PERIODS, _MINUTE = (10, 20, 30), 60


def install(wake: Callable[[], None]) -> None:
    """Put it into moto, for the whole process. Calling it again replaces what is called.

    Args:
        wake: called when alarms may have changed; returns at once.
    """

    def put_data(backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        _moto_put_data(backend, namespace, metric_data)
        if backend.alarms:
            wake()

    def put_alarm(backend: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        earlier = backend.alarms.get(name)
        alarm = _moto_put_alarm(backend, name, *args, **kwargs)
        try:
            _check(alarm)
        except ValidationError:
            backend.alarms.pop(name)
            if earlier is not None:
                backend.alarms[name] = earlier
            raise
        _take_over(alarm, earlier)
        wake()
        return alarm

    CloudWatchBackend.put_metric_data = put_data
    CloudWatchBackend.put_metric_alarm = put_alarm
    Alarm.update_state = _update_state
    CloudWatchResponse.describe_alarm_history = describe_alarm_history


def _check(alarm: Any) -> None:
    if not alarm.metric_name:
        return
    if alarm.treat_missing_data not in (None, "", *_TREATMENTS):
        raise ValidationError(f"Option {alarm.treat_missing_data} is not supported for TreatMissingData")
    if alarm.period is not None and alarm.period not in _SHORT_PERIODS and alarm.period % _MINUTE:
        raise ValidationError("Period must be 10, 20, 30 or a multiple of 60")
    if (alarm.datapoints_to_alarm or 1) > alarm.evaluation_periods:
        raise ValidationError("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if not alarm.statistic and not alarm.extended_statistic:
        raise ValidationError("Exactly one of Statistic and ExtendedStatistic must be specified")


def _take_over(alarm: Any, earlier: Any) -> None:
    """Give an alarm the state and history of the one that it replaces; a new one has no data yet."""
    if earlier is None:
        alarm.state_value = INSUFFICIENT_DATA
        note(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" created', {"type": "Create"})
        return
    for name in ("state_reason", "state_reason_data", "state_value", "state_updated_timestamp", "history"):
        setattr(alarm, name, getattr(earlier, name))
    note(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" updated', {"type": "Update"})


def _update_state(alarm: Any, reason: str, reason_data: str | None, state_value: str) -> None:
    before = State(alarm.state_value, alarm.state_reason, alarm.state_reason_data, alarm.state_updated_timestamp)
    after = State(state_value, reason, reason_data or "{}", datetime.now(UTC).replace(tzinfo=None))
    alarm.state_reason, alarm.state_reason_data = after.reason, after.data
    alarm.state_value, alarm.state_updated_timestamp = after.value, after.moment
    if after.value == before.value:
        return
    told = {"oldState": {"stateValue": before.value}, "newState": {"stateValue": after.value, "stateReason": reason}}
    note(alarm, "StateUpdate", f"Alarm updated from {before.value} to {after.value}", told)
    request = current_request.get()
    if request is not None:
        event = alarm_event(alarm, before, after)
        request.s3_events.append(event)
        request.deliveries.extend(_messages(alarm, event, topic_message(alarm, before, after)))


def _messages(alarm: Any, event: dict[str, Any], message: tuple[str, str]) -> Iterator[Any]:
    actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}
    subject, text = message
    for arn in actions.get(alarm.state_value, alarm.insufficient_data_actions) if alarm.actions_enabled else ():
        if arn.startswith("arn:aws:sns:"):
            note(alarm, "Action", f"Successfully executed action {arn}", {"actionState": "Succeeded"})
            target = {"Id": arn, "Arn": arn, "Input": text, "Subject": subject}
            yield outgoing(Matched({"id": event["id"]}, alarm.alarm_arn, target))
        else:
            failed = {"actionState": "Failed", "error": "the local endpoint notifies topics only"}
            note(alarm, "Action", f"Failed to execute action {arn}", failed)


class Alarms:
    """Evaluates the alarms of all regions.

    Args:
        events: publishes changes, and delivers messages.
        outbox: returns the state that stores alarms and deliveries.
    """

    def __init__(self, events: EventBridge, outbox: Callable[[], MotoState]) -> None:
        self._events, self._outbox = events, outbox

    def exist(self) -> bool:
        """Return whether there is one."""
        with only_looking():
            return any(backend.alarms for _, _, backend in list(cloudwatch_backends.iter_backends()))

    def fire(self, now: datetime) -> datetime | None:
        """Change the states that have to change; return when the next one may have to, by time alone."""
        due: datetime | None = None
        with only_looking():
            found = [
                (backend, alarm, rule)
                for _, _, backend in list(cloudwatch_backends.iter_backends())
                for alarm in list(backend.alarms.values())
                if (rule := rule_of(alarm)) is not None
            ]
            decided = [(*one, evaluate(one[2], _data_of(*one[:2]), now, one[1].state_value)) for one in found]
        for backend, alarm, rule, decision in decided:
            following = rule.next_after(now)
            due = following if due is None or following < due else due
            if decision is not None:
                self._change(backend, alarm, decision, json.dumps(reason_data(rule, decision, now)))
        return due

    def _change(self, backend: Any, alarm: Any, decision: Decision, data: str) -> None:
        request = CurrentRequest("", "127.0.0.1", [], set(), {}, [])
        with self._outbox().recording(Change("monitoring", "SetAlarmState", alone=True)) as kept:
            token = current_request.set(request)
            try:
                known = cloudwatch_backends[backend.account_id][backend.region_name].alarms.get(alarm.name)
                if known is not alarm:  # it was deleted or put anew meanwhile
                    return
                alarm.update_state(decision.reason, data, decision.state)
            finally:
                current_request.reset(token)
            pending = self._events.prepare(request.s3_events, request.deliveries)
            kept.update(pending.records)
        pending.start()


def rule_of(alarm: Any) -> Rule | None:
    """Return what raises an alarm; None for one that is not evaluated."""
    if alarm.rule or alarm.metric_data_queries or alarm.statistic not in STATISTICS:
        return None
    if alarm.comparison_operator not in OPERATORS or not alarm.period or alarm.threshold is None:
        return None
    periods, treatment = int(alarm.evaluation_periods), alarm.treat_missing_data or "missing"
    needed = int(alarm.datapoints_to_alarm or periods)
    limit = float(alarm.threshold)
    return Rule(int(alarm.period), periods, needed, alarm.comparison_operator, limit, alarm.statistic, treatment)


def _data_of(backend: Any, alarm: Any) -> Iterator[Datum]:
    """Yield the data of an alarm's metric: that of exactly its dimensions, and of its unit, if it has one."""
    wanted = {(one.name, one.value) for one in alarm.dimensions}
    for one in backend.metric_data:
        same = (one.namespace, one.name) == (alarm.namespace, alarm.metric_name)
        if same and {(d.name, d.value) for d in one.dimensions} == wanted and alarm.unit in (None, "", one.unit):
            moment = one.timestamp if one.timestamp.tzinfo else one.timestamp.replace(tzinfo=UTC)
            if hasattr(one, "sample_count"):
                yield Datum(moment, one.sample_count, one.sum, one.min, one.max)
            else:
                yield Datum(moment, 1.0, one.value, one.value, one.value)
