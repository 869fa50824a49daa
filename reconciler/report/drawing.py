"""Draws the cluster's picture with HTML boxes: the network, below it groups of servers, below them what they run."""

from __future__ import annotations

from .foreign import html
from .picture import Group, Layer, Picture, Server, State
from .values import ABSENT, number, some

_NOT_SEEN = {
    State.MISSING: "is gone",
    State.PLANNED: "is not there yet",
    State.UNKNOWN: "could not be observed",
}


def drawing(picture: Picture) -> str:
    """Return the picture as HTML; nothing when no server is known of."""
    if not picture.groups:
        return ""
    groups = "\n".join(_group(group) for group in picture.groups)
    layers = "\n".join(_layer(layer) for layer in picture.layers)
    cidr = f" <code>{html(picture.cidr)}</code>" if picture.cidr else ""
    return (
        f'<section class="picture" aria-label="the cluster">\n'
        f'<div class="network">network <b>{html(picture.network)}</b>{cidr}</div>\n'
        f'<div class="groups">\n{groups}\n</div>\n'
        f'<div class="layers">\n{layers}\n</div>\n</section>'
    )


def _group(group: Group) -> str:
    servers = "\n".join(_server(server) for server in group.servers)
    return f'<div class="group">\n<h3>{html(group.name)}</h3>\n<div class="servers">\n{servers}\n</div>\n</div>'


def _server(server: Server) -> str:
    facts = [server.status, server.ip, *([] if server.node == ABSENT else [f"node {server.node}"])]
    told = " · ".join(html(fact) for fact in facts if fact != ABSENT) or _NOT_SEEN.get(server.state, "")
    return (
        f'<div class="server {server.state.value}"><b>{html(server.name)}</b> '
        f'<span class="state">{server.state.value}</span><small>{told}</small></div>'
    )


def _layer(layer: Layer) -> str:
    state, told = ("unknown", "could not all be observed") if layer.unknown else ("ok", number(layer.total, "resource"))
    if layer.different:
        state, told = (
            "drifted",
            f"{number(len(layer.different), 'resource')} of {layer.total}: {some(layer.different, 3)}",
        )
    return f'<div class="layer {state}"><b>{html(layer.name)}</b><small>{html(told)}</small></div>'
