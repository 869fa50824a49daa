"""The desired state as people write it: Cluster, Environment, Application and Fleet, frozen and validated; and
Autoscale, which the autoscaler writes."""

from .application import Application, ApplicationSpec, SecretSource
from .autoscale import Autoscale, AutoscaleSpec, Removed, ScaledGroup, ScaledNodeGroup, effective, scaled
from .backup import Backups
from .base import API_VERSION, At, Cidr, Kind, Model, Name
from .cluster import Cluster, ClusterSpec
from .environment import Environment, EnvironmentSpec, pinned, quantity
from .fleet import Ceilings, Fleet, FleetSpec, Policy
from .kubernetes import Chart, HelmRelease, Kubernetes, Repair, Ssh, Upgrade, Workload, waves
from .machines import Bastion, BootVolume, ControlPlane, Etcd, Machines, NodeGroup, Placed, Taint
from .network import Access, ApiLoadBalancer, ExistingNetwork, Network, Rule
from .policy import DAYS, LONGEST_PATTERN, Approval, Freeze, Guards, Ignore, Maintenance, Window, end_of, moment
from .state import HttpState, PgState, S3State, State
from .tenants import EVERYTHING, Tenant

__all__ = [
    "API_VERSION",
    "DAYS",
    "EVERYTHING",
    "LONGEST_PATTERN",
    "Access",
    "ApiLoadBalancer",
    "Application",
    "ApplicationSpec",
    "Approval",
    "At",
    "Autoscale",
    "AutoscaleSpec",
    "Backups",
    "Bastion",
    "BootVolume",
    "Ceilings",
    "Chart",
    "Cidr",
    "Cluster",
    "ClusterSpec",
    "ControlPlane",
    "Environment",
    "EnvironmentSpec",
    "Etcd",
    "ExistingNetwork",
    "Fleet",
    "FleetSpec",
    "Freeze",
    "Guards",
    "HelmRelease",
    "HttpState",
    "Ignore",
    "Kind",
    "Kubernetes",
    "Machines",
    "Maintenance",
    "Model",
    "Name",
    "Network",
    "NodeGroup",
    "PgState",
    "Placed",
    "Policy",
    "Removed",
    "Repair",
    "Rule",
    "S3State",
    "ScaledGroup",
    "ScaledNodeGroup",
    "SecretSource",
    "Ssh",
    "State",
    "Taint",
    "Tenant",
    "Upgrade",
    "Window",
    "Workload",
    "effective",
    "end_of",
    "moment",
    "pinned",
    "quantity",
    "scaled",
    "waves",
]
