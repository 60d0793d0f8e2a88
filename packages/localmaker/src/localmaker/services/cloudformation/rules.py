"""Kinds of EventBridge's, EventBridge Scheduler's and CloudWatch's resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localmaker.services.cloudformation.fitting import UnfitError
from localmaker.services.cloudformation.kinds import Kind, Made, Properties, call

_TARGETS, _BUS = "Targets", "EventBusName"


@dataclass(frozen=True)
class _Rule(Kind):
    """A rule with its targets."""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        whole = self.named(name, properties)
        answer = call(client, self.create, self.parameters(client, self.create, _without_targets(whole)))
        bus = str(properties.get(_BUS, "default"))
        made = Made(name if bus == "default" else f"{bus}|{name}", {"Arn": answer["RuleArn"]})
        try:
            self._aim(client, name, properties)
        except Exception:
            # A resource that fails leaves nothing behind.
            self.gone(client, made, properties)
            raise
        return made

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        if old.get(_BUS) != new.get(_BUS):
            return None
        name = self.name_of(before)
        call(client, self.create, self.parameters(client, self.create, _without_targets(self.named(name, new))))
        kept = {one["Id"] for one in new.get(_TARGETS, ())}
        outdated = [one["Id"] for one in old.get(_TARGETS, ()) if one["Id"] not in kept]
        if outdated:
            client.remove_targets(Rule=name, Ids=outdated, **_bus(new))
        self._aim(client, name, new)
        return before

    def gone(self, client: Any, made: Made, properties: Properties) -> None:
        name, bus = self.name_of(made), _bus(properties)
        targets = [one["Id"] for one in client.list_targets_by_rule(Rule=name, **bus)[_TARGETS]]
        if targets:
            client.remove_targets(Rule=name, Ids=targets, **bus)
        client.delete_rule(Name=name, **bus)

    def name_of(self, made: Made) -> str:
        return made.physical_id.rpartition("|")[2]

    def _aim(self, client: Any, name: str, properties: Properties) -> None:
        if not properties.get(_TARGETS):
            return
        given = {"Rule": name, _TARGETS: properties[_TARGETS], **_bus(properties)}
        answer = client.put_targets(**self.parameters(client, "PutTargets", given))
        for failed in answer["FailedEntries"]:
            raise UnfitError(f"#/{_TARGETS}: {failed['TargetId']}: {failed['ErrorMessage']}")


def _without_targets(properties: Properties) -> Properties:
    return {key: value for key, value in properties.items() if key != _TARGETS}


def _bus(properties: Properties) -> dict[str, str]:
    return {_BUS: str(properties[_BUS])} if _BUS in properties else {}


@dataclass(frozen=True)
class _Schedule(Kind):
    """A schedule, which belongs to a group."""

    def gone(self, client: Any, made: Made, properties: Properties) -> None:
        group = {"GroupName": properties["GroupName"]} if "GroupName" in properties else {}
        client.delete_schedule(Name=made.physical_id, **group)


@dataclass(frozen=True)
class _Alarm(Kind):
    """An alarm."""

    def described(self, request: Any, answer: Any) -> Made:  # noqa: ARG002 - the answer is empty
        return Made(request[self.name], {})

    def gone(self, client: Any, made: Made, properties: Properties) -> None:  # noqa: ARG002 - there are no others
        client.delete_alarms(AlarmNames=[made.physical_id])


KINDS = (
    _Rule(
        type="AWS::Events::Rule",
        service="events",
        create="PutRule",
        delete="DeleteRule",
        name="Name",
        ref="Name",
        attributes={"Arn": "RuleArn"},
        longest_name=64,
    ),
    _Schedule(
        type="AWS::Scheduler::Schedule",
        service="scheduler",
        create="CreateSchedule",
        delete="DeleteSchedule",
        name="Name",
        ref="Name",
        attributes={"Arn": "ScheduleArn"},
        update="UpdateSchedule",
        longest_name=64,
    ),
    Kind(
        type="AWS::Scheduler::ScheduleGroup",
        service="scheduler",
        create="CreateScheduleGroup",
        delete="DeleteScheduleGroup",
        name="Name",
        ref="Name",
        attributes={"Arn": "ScheduleGroupArn"},
        longest_name=64,
    ),
    _Alarm(
        type="AWS::CloudWatch::Alarm",
        service="cloudwatch",
        create="PutMetricAlarm",
        delete="DeleteAlarms",
        name="AlarmName",
        ref="AlarmName",
        update="PutMetricAlarm",
        longest_name=255,
    ),
)
