"""How an order is read, in words made from the world file: what shows its attributes, and what follows from them."""

from __future__ import annotations

from reference.process.appearance import Look
from reference.process.world import DONE, Rule, Surface, World

_BOX = {
    "none": "no box",
    "flat": "box folded",
    "bottom up": "box upside down",
    "open": "box open",
    "closed": "box closed",
}


def signs(world: World) -> list[dict[str, str]]:
    """Return a row for each attribute: its name, share of orders, what shows it and as which sign, and how long."""
    return [
        {
            "name": attribute.name,
            "share": f"{attribute.per_mille / 10:.1f}%",
            "shown_by": attribute.shown_by,
            "sign": attribute.mark,
            "when": _when(world.surfaces[attribute.shown_by]),
        }
        for attribute in world.attributes
    ]


def _when(surface: Surface) -> str:
    if surface.window is None:
        return "all the time"
    least, most = surface.window
    return f"{least} to {most} frames" if least < most else f"{least} frames"


def two_orders(world: World) -> list[str]:
    """Return the surfaces of which the next order's lies beside that of the order at hand."""
    return [name for name, surface in world.surfaces.items() if surface.next_beside]


def successors(world: World) -> list[tuple[str, str]]:
    """Return (what is being done, what follows) for each appearance whose successor depends on the order.

    Of each rule the most probable successor is told. Steps that look alike stand in one row, each with its rules.
    """
    told: dict[str, list[str]] = {}
    for step in world.steps.values():
        told.setdefault(f"{step.operation}, {_looks(step.look)}", []).append(_follows(world, step.rules))
    first = {"a new order": [_follows(world, world.start)]}
    rows = {doing: list(dict.fromkeys(following)) for doing, following in (first | told).items()}
    return [
        (doing, _or_else(following)) for doing, following in rows.items() if len(following) > 1 or ";" in following[0]
    ]


def _or_else(following: list[str]) -> str:
    first, *others = following
    return f"{first}; by what came before also {' or '.join(others)}" if others else first


def _looks(look: Look) -> str:
    parts = [_BOX[look.box]]
    parts += ["items out"] if look.items_out else []
    parts += [f"{name} in it" for name in look.inside]
    parts += [f"{name} on it" for name in look.marks]
    parts += [f"screen: {look.screen}"] if look.screen != "off" else []
    return ", ".join(parts)


def _follows(world: World, rules: tuple[Rule, ...]) -> str:
    told = []
    for rule in rules:
        target = max(rule.to, key=lambda pair: pair[1])[0]
        operation = "the next order" if target == DONE else world.steps[target].operation
        told.append(f"{_condition(rule)}: {operation}" if _condition(rule) else operation)
    if len(set(told)) == 1:
        return told[0]
    return "; ".join([*told[:-1], f"else {told[-1]}" if len(told) > 1 else told[-1]])


def _condition(rule: Rule) -> str:
    parts = [f"just one of {one} and {other}" for one, other in rule.differing]
    parts += sorted(rule.required) + [f"not {name}" for name in sorted(rule.excluded)]
    parts += [f"habit {rule.habit}"] if rule.habit else []
    return ", ".join(parts)
