"""The network: whether what runs in the subnets of the settings reaches the AWS APIs that it calls.

SageMaker pulls images and ships logs and metrics by its own network, and Lambda ships its logs ("Give SageMaker AI
training jobs access to resources in your Amazon VPC"). Inputs and outputs of jobs go through the VPC, those of isolated
ones, too, and so do the calls that scripts and functions make themselves.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.preflight.answers import Answer, Verdict

#: What jobs and functions call: files; claims and the registry; feature records; metrics.
SERVICES = ("s3", "sagemaker.api", "sagemaker.featurestore-runtime", "monitoring")
#: What the function calls that reads the history; Athena itself reads and writes outside the VPC.
_HISTORY = "athena"
_HTTPS = 443
#: SageMaker takes two addresses for each instance ("Ensure that subnets have enough IP addresses").
_ADDRESSES = 2
_NAT = "a NAT gateway"
#: Member of a default route → what leads out of a subnet; where the last two lead can't be read here.
_WAYS_OUT = {"NatGatewayId": _NAT, "TransitGatewayId": "a transit gateway", "NetworkInterfaceId": "an appliance"}

Description = Mapping[str, Any]


def network_answers(aws: Aws, instances: int) -> Iterator[Answer]:
    """Answer what can be read about the subnets; ``instances`` is the largest number of one job."""
    network, ec2 = aws.settings.network, aws.ec2
    subnets = ec2.describe_subnets(Filters=_filter("subnet-id", network.subnets))["Subnets"]
    groups = ec2.describe_security_groups(Filters=_filter("group-id", network.security_groups))["SecurityGroups"]
    yield from existing("subnet", network.subnets, [item["SubnetId"] for item in subnets])
    yield from existing("security group", network.security_groups, [item["GroupId"] for item in groups])
    yield from (addresses(item, instances) for item in subnets)
    vpcs = sorted({item["VpcId"] for item in (*subnets, *groups)})
    if len(vpcs) > 1:
        yield Answer(
            Verdict.PROBLEM,
            "subnets and groups",
            f"in different VPCs: {', '.join(vpcs)}",
            "Name subnets and groups of one VPC.",
        )
    if len(vpcs) != 1:
        return
    yield from tenancy(ec2.describe_vpcs(VpcIds=vpcs)["Vpcs"][0])
    yield from outgoing(groups)
    tables = ec2.describe_route_tables(Filters=_filter("vpc-id", vpcs))["RouteTables"]
    endpoints = ec2.describe_vpc_endpoints(Filters=_filter("vpc-id", vpcs))["VpcEndpoints"]
    ids = sorted({group["GroupId"] for endpoint in endpoints for group in endpoint.get("Groups", [])})
    theirs = ec2.describe_security_groups(Filters=_filter("group-id", ids))["SecurityGroups"] if ids else []
    admitting = {group["GroupId"] for group in theirs if admits(group, network.security_groups, subnets)}
    routed = {item["SubnetId"]: table_of(item["SubnetId"], tables) for item in subnets}
    for service in (*SERVICES, *((_HISTORY,) if aws.settings.reads_history else ())):
        ours = [item for item in endpoints if item["ServiceName"].endswith(f".{aws.settings.region}.{service}")]
        yield reach(service, routed, ours, admitting)


def internet_answers(aws: Aws, subnets: Sequence[str], security_groups: Sequence[str], host: str) -> Iterator[Answer]:
    """Answer whether what runs in subnets, without a public address, reaches a host on the internet."""
    groups = aws.ec2.describe_security_groups(Filters=_filter("group-id", security_groups))["SecurityGroups"]
    found = aws.ec2.describe_subnets(Filters=_filter("subnet-id", subnets))["Subnets"]
    yield from existing("subnet", subnets, [item["SubnetId"] for item in found])
    yield from outgoing(groups)
    for subnet in found:
        tables = aws.ec2.describe_route_tables(Filters=_filter("vpc-id", [subnet["VpcId"]]))["RouteTables"]
        about, way = f"{host} from {subnet['SubnetId']}", way_out(table_of(subnet["SubnetId"], tables))
        if not way:
            fix = "Route 0.0.0.0/0 of the subnet to a NAT gateway; an internet gateway alone needs public addresses."
            yield Answer(Verdict.PROBLEM, about, "there is no way out to the internet", fix)
        elif way == _NAT:
            yield Answer(Verdict.OK, about, f"reached by {way}")
        else:
            yield Answer(Verdict.UNKNOWN, about, f"leads to {way}", f"Check that it lets HTTPS to {host} out.")


def existing(kind: str, wanted: Iterable[str], found: Sequence[str]) -> Iterator[Answer]:
    """Judge whether what the settings name exists."""
    for name in wanted:
        if name in found:
            yield Answer(Verdict.OK, f"{kind} {name}", "exists")
        else:
            fix = "Correct it under [network]."
            yield Answer(Verdict.PROBLEM, f"{kind} {name}", "does not exist in this region", fix)


def addresses(subnet: Description, instances: int) -> Answer:
    """Judge whether the largest job, another beside it and a function find addresses."""
    needed, free = _ADDRESSES * (instances + 1) + 1, subnet["AvailableIpAddressCount"]
    about, detail = f"addresses of {subnet['SubnetId']}", f"{free} free, {needed} needed"
    if free < needed:
        return Answer(Verdict.PROBLEM, about, detail, "Name a larger subnet under [network].")
    return Answer(Verdict.OK, about, detail)


def tenancy(vpc: Description) -> Iterator[Answer]:
    """Judge the VPC itself: SageMaker and Lambda take shared hardware only."""
    if vpc.get("InstanceTenancy", "default") != "default":
        yield Answer(
            Verdict.PROBLEM, vpc["VpcId"], f"has {vpc['InstanceTenancy']} tenancy", "Name one of default tenancy."
        )


def outgoing(groups: Sequence[Description]) -> Iterator[Answer]:
    """Judge whether the jobs' groups let HTTPS out: any of them is enough."""
    if groups and not any(_is_https(rule) for group in groups for rule in group["IpPermissionsEgress"]):
        names = ", ".join(group["GroupId"] for group in groups)
        yield Answer(Verdict.PROBLEM, names, "let no HTTPS out", "Allow outgoing TCP on port 443.")


def admits(group: Description, sources: Iterable[str], subnets: Iterable[Description]) -> bool:
    """Say whether an endpoint's group lets HTTPS in from the jobs' groups, or from all of their subnets."""
    rules = [rule for rule in group["IpPermissions"] if _is_https(rule)]
    admitted = {pair.get("GroupId") for rule in rules for pair in rule.get("UserIdGroupPairs", [])}
    ranges: list[Any] = [ip_network(item["CidrIp"]) for rule in rules for item in rule.get("IpRanges", [])]
    places: list[Any] = [ip_network(subnet["CidrBlock"]) for subnet in subnets]
    by_range = all(any(place.subnet_of(one) for one in ranges) for place in places)
    return bool(admitted & set(sources)) or by_range


def _is_https(rule: Description) -> bool:
    ports = range(rule.get("FromPort", 0), rule.get("ToPort", -1) + 1)
    return rule["IpProtocol"] == "-1" or (rule["IpProtocol"] in {"tcp", "6"} and _HTTPS in ports)


def table_of(subnet: str, tables: Sequence[Description]) -> Description:
    """Return the route table of a subnet: its own, else the main one of the VPC."""
    links = [(link, table) for table in tables for link in table.get("Associations", [])]
    own = [table for link, table in links if link.get("SubnetId") == subnet]
    return (own or [table for link, table in links if link.get("Main")])[0]


def way_out(table: Description) -> str:
    """Return what a table's default route leads to; empty where nothing without a public address gets out."""
    for route in table["Routes"]:
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            return next((word for member, word in _WAYS_OUT.items() if route.get(member)), "")
    return ""


def reach(
    service: str, routed: Mapping[str, Description], endpoints: Sequence[Description], admitting: set[str]
) -> Answer:
    """Judge whether every subnet, each with its route table, reaches a service by one of the VPC's endpoints for it."""
    flaws = {item["VpcEndpointId"]: flaw for item in endpoints if (flaw := _flaw(item, admitting))}
    usable = [item for item in endpoints if item["VpcEndpointId"] not in flaws]
    ways = {name: way_out(table) for name, table in routed.items() if not any(_serves(one, table) for one in usable)}
    if without := [name for name, way in ways.items() if not way]:
        gateways = [route.get("GatewayId", "") for name in without for route in routed[name]["Routes"]]
        public = any(gateway.startswith("igw-") for gateway in gateways)
        why = " (an internet gateway is no way out: jobs and functions get no public addresses)" if public else ""
        kind = "a gateway" if service == "s3" else "an interface"
        fix = "; ".join(f"{name} {flaw}" for name, flaw in flaws.items()) or f"Create {kind} endpoint for {service}."
        return Answer(Verdict.PROBLEM, service, f"no way to it from {', '.join(without)}{why}", fix)
    unread = [f"{name} by {way}" for name, way in ways.items() if way != _NAT]
    unread += [f"{one['VpcEndpointId']} has a policy of its own" for one in usable if not _is_open(one)]
    if unread:
        fix = "Check that it leads to AWS, and that the policy allows what the execution role calls."
        return Answer(Verdict.UNKNOWN, service, "; ".join(unread), fix)
    return Answer(Verdict.OK, service, f"reached by {_NAT if ways else 'endpoints'}")


def _flaw(endpoint: Description, admitting: set[str]) -> str:
    if endpoint["State"].lower() != "available":
        return f"is {endpoint['State']}: wait, or accept it."
    if endpoint["VpcEndpointType"] != "Interface":
        return ""
    if not endpoint.get("PrivateDnsEnabled"):
        return "has no private DNS, so clients do not find it: enable it, and DNS support and host names of the VPC."
    open_to_jobs = admitting & {group["GroupId"] for group in endpoint.get("Groups", [])}
    return "" if open_to_jobs else "lets no HTTPS in from the jobs: allow TCP 443 from their security group."


def _serves(endpoint: Description, table: Description) -> bool:
    return endpoint["VpcEndpointType"] == "Interface" or table["RouteTableId"] in endpoint.get("RouteTableIds", [])


def _is_open(endpoint: Description) -> bool:
    """Say whether an endpoint has AWS's default policy, which allows everything."""
    text = "".join((endpoint.get("PolicyDocument") or "").split())
    return not text or ('"Action":"*"' in text and '"Resource":"*"' in text and '"Deny"' not in text)


def _filter(name: str, values: Iterable[str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]
